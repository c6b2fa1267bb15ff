/** Servers whose lists and logs never end, or go back: who asks is told so, soon. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BadReply } from "../../lib/errors.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { connect, type User } from "../../mod.ts";
import { Group, Registry } from "../support/inside.ts";
import { closing } from "../support.ts";
import { Counts, type Keep, row } from "./attack_world.ts";
import { Imposter, recordOf } from "./imposters.ts";

type Request = Record<string, unknown>;

/** Keys of a page behind a key, and whether there are more. */
type Pages = (after: string) => readonly [keys: readonly string[], more: boolean];

/** What comes behind `n-…`, in the order of texts. */
const behind = (after: string, i: number) =>
  `n${String(Number(after.slice(1)) + i).padStart(9, "0")}`;

/** Lists without an end, and what is said of each. */
const ENDLESS: Readonly<Record<string, readonly [Pages, RegExp]>> = {
  "the same page": [() => [["a", "b"], true], /does not go on/],
  "a page that goes back": [(after) => [[after === "" ? "b" : "a"], true], /does not go on/],
  "more, and nothing": [() => [[], true], /does not go on/],
  "one a page": [(after) => [[behind(after, 1)], true], /more than 1,000 pages/],
  "a thousand a page": [
    (after) => [Array.from({ length: 1_000 }, (_, i) => behind(after, i + 1)), true],
    /more than 100,000 entries/,
  ],
};

/** Longest that any of these may take, ms: a defect takes for ever. */
const SOON = 30_000;

async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No end within ${SOON} ms`)), SOON);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const registryOf = (pages: Pages, asked: Counts) => async (keep: Keep) => {
  const key = newSigningKey();
  return keep(
    await Imposter.start({
      key,
      says: () => ({ registry: { key: key.publicKey } }),
      answer({ after }) {
        asked.add("pages");
        const [names, more] = pages(String(after ?? ""));
        return { groups: names.map((name) => ({ name, address: "a.b:1", state: "live" })), more };
      },
    }),
  );
};

for (const [what, [pages, said]] of Object.entries(ENDLESS)) {
  test(`attack: a registry that lists ${what} for ever is refused, and another is heard`, () =>
    closing(async (keep) => {
      const asked = new Counts();
      const hostile = await registryOf(pages, asked)(keep);
      const alone = keep(await connect({ registries: [hostile.address] }));
      await soon(assert.rejects(alone.list(), (error: Error) => {
        assert.ok(error instanceof BadReply, String(error));
        assert.match(error.message, said);
        assert.ok(error.message.includes(hostile.address), error.message);
        return true;
      }));
      row(`a registry that lists ${what}`, asked.all);

      const honest = keep(await Registry.start({ port: 0 }));
      const registries = [hostile.address, honest.address];
      const group = keep(await Group.start({ name: "Lab", registries: [honest.address] }));
      const both = keep(await connect({ registries }));
      const told = Promise.withResolvers<string>();
      both.on((event) => event.type === "warning" && told.resolve(event.text));
      assert.deepEqual((await both.list()).map(({ address }) => address), [group.address]);
      // The list of a thousand groups a page is given up when nobody waits for it any more.
      if (what !== "a thousand a page" && what !== "one a page") {
        assert.match(await soon(told.promise), said);
      }
    }));

  test(`attack: a group whose members are ${what} for ever is refused`, () =>
    closing(async (keep) => {
      const { user, asked } = await memberOf(keep, {
        members({ after }) {
          const [names, more] = pages(String(after ?? "").slice(1));
          const members = names.map((name) => ({
            user: `~${name}`,
            name,
            role: "member",
            present: false,
          }));
          const banned = members.map(({ user, name }) => ({ user, name }));
          return { members, more, topic: "endless", banned };
        },
      });
      for (const ask of [() => user.members("Evil"), () => user.act("Evil", BAN)]) {
        await soon(assert.rejects(ask(), (error: Error) => {
          assert.ok(error instanceof BadReply, String(error));
          assert.match(error.message, said);
          return true;
        }));
      }
      row(`a group whose members are ${what}`, asked.all);
      assert.equal(await user.topic("Evil"), "endless");
    }));
}

const BAN = { action: "ban", user: "nobody" } as const;
const EPOCH = "00000000-0000-4000-8000-000000000000";
const USER = "00000000-0000-8000-8000-000000000000";

/** A member of a group that answers these ops as it likes. */
async function memberOf(keep: Keep, answers: Record<string, (request: Request) => object>) {
  const key = newSigningKey();
  const asked = new Counts();
  const group = keep(
    await Imposter.start({
      key,
      says: (address) => ({ group: recordOf(key, "Evil", address) }),
      answer(request) {
        const op = String(request.op);
        asked.add(op);
        return answers[op]?.(request) ??
          { user: USER, role: "member", epoch: EPOCH, head: 2 ** 53 - 1, at: Date.now() };
      },
    }),
  );
  const user = keep(await connect({ registries: [] }));
  await user.join(group.address);
  return { user, asked };
}

/** A batch of one entry, which says what it likes of its hash. */
const entry = (first: number) => ({
  first,
  count: 1,
  at: 1,
  kind: "message",
  author: USER,
  name: "evil",
  messages: [["01900000-0000-7000-8000-000000000000", "x"]],
  hash: "A".repeat(43),
});

/** Logs without an end: the seqs of a page behind one and before another. */
const LOGS: Readonly<
  Record<string, readonly [(after: number, before: number) => number[], RegExp]>
> = {
  "the same page": [() => [1, 2], /entry 1 behind|entry 2 where it was asked/],
  "a page that goes back": [
    (after, before) => [after > 0 ? after - 1 : Math.min(9, before)],
    /gives entry/,
  ],
  "a page that goes back in itself": [(after) => [after + 2, after + 1], /gives entry \d+ behind/],
  "more, and nothing": [() => [], /nothing where it says that there is more/],
};

for (const [what, [seqs, said]] of Object.entries(LOGS)) {
  test(`attack: a group whose log is ${what} for ever is refused`, () =>
    closing(async (keep) => {
      const { user } = await memberOf(keep, {
        read({ after = 0, before = Infinity }) {
          const batches = seqs(Number(after), Number(before)).map(entry);
          return { epoch: EPOCH, head: 2 ** 53 - 1, tail: 1, more: true, batches };
        },
      });
      for (const range of [{}, { limit: 5_000_000, last: true }]) {
        await soon(assert.rejects(drain(user, range), (error: Error) => {
          assert.ok(error instanceof BadReply, String(error));
          assert.match(error.message, said);
          return true;
        }));
      }
      const found = await soon(user.fingerprint("Evil").then(() => "", ({ name }) => name));
      assert.equal(found, "LogDamaged");
    }));
}

async function drain(user: User, range: object): Promise<number> {
  let count = 0;
  for await (const _ of user.read("Evil", range)) count++;
  return count;
}
