/** Hostile registries beside an honest one: they hurt nobody there. */

import { Group, Registry } from "../support/inside.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { newSigningKey, shortKey } from "../../lib/identity/keys.ts";
import { closing, until } from "../support.ts";
import { tcpServer } from "./attack_wire.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Chatter, type Keep, row, sized } from "./attack_world.ts";
import { Imposter, recordOf } from "./imposters.ts";
import { bare } from "./world.ts";

type Request = Record<string, unknown>;

/** A registry that proves its key and answers as it likes. */
function hostile(answer: (request: Request) => object) {
  return async (keep: Keep) => {
    const key = newSigningKey();
    const says = () => ({ registry: { key: key.publicKey } });
    return keep(await Imposter.start({ key, says, answer })).address;
  };
}

const listing = (name: string, changes: object = {}, list: object = {}) => {
  const record = recordOf(newSigningKey(), name, "127.0.0.1:9");
  return {
    name,
    address: record.address,
    state: "live",
    ...list,
    record: { ...record, ...changes },
  };
};

/** Answers by op, `{}` to all others. */
const by = (answers: Record<string, (request: Request) => object>) =>
  hostile((request) => answers[String(request.op)]?.(request) ?? {});

const REGISTRIES: Record<string, (keep: Keep) => Promise<string>> = {
  "a clock of 2^53": by({ ping: () => ({ at: 2 ** 53 - 1 }) }),
  "a clock of 2^53, and nothing is new enough": hostile(({ op }) => {
    if (op === "ping") return { at: 2 ** 53 - 1 };
    throw new Error("stale");
  }),
  "another name": by({
    resolve: () => ({ group: listing("Evil") }),
    list: () => ({ groups: [listing("Evil")], more: false }),
  }),
  "the name with another key": by({
    resolve: () => ({ group: listing("Lab") }),
    list: () => ({ groups: [listing("Lab")], more: false }),
  }),
  "the address with another key": by({
    resolve: ({ group }) => {
      const record = recordOf(newSigningKey(), "Mine", String(group));
      return { group: { name: "Mine", address: group, state: "live", record } };
    },
  }),
  "the address without a key": by({
    resolve: ({ group }) => ({ group: { name: "Old", address: group, state: "live" } }),
  }),
  "forged records": by({
    resolve: () => ({ group: listing("Lab", { key: newSigningKey().publicKey }) }),
    list: () => ({
      groups: [
        listing("Lab", { sig: "A".repeat(86) }),
        listing("Forged", { version: 2 ** 53 - 1 }),
        listing("Forged", { expires: 2 ** 53 - 1 }),
        listing("Forged", {}, { name: "Lab" }),
        listing("Forged", {}, { address: "127.0.0.1:10" }),
      ],
      more: false,
    }),
  }),
  "a list without an end": by({ list: () => ({ groups: [listing("aaa")], more: true }) }),
  "replies that do not fit": hostile(() => ({ group: 7, groups: {}, more: "x", at: "late" })),
  "a thousand fields": hostile(() =>
    Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`f${i}`, [[[[i]]]]]))
  ),
  "hangs up at each request": hostile(() => {
    throw new Error("no");
  }),
  "never answers": async (keep) => keep(await tcpServer(async () => {})).address,
  "says rubbish": async (keep) =>
    keep(
      await tcpServer(async (tcp) => {
        await tcp.write(crypto.getRandomValues(new Uint8Array(1_000)));
      }),
    ).address,
  "is not there": () => Promise.resolve("127.0.0.1:9"),
};

test("attack: no registry hurts what is said and listed at another", async () => {
  await closing(async (keep) => {
    const honest = keep(await Registry.start({ port: 0 }));
    const told: string[] = [];
    const log = {
      info() {},
      warn: (text: string) => void told.push(text),
      close: () => Promise.resolve(),
    };
    const names = Object.keys(REGISTRIES);
    const all = await Promise.all(names.map((name) => REGISTRIES[name](keep)));
    // One group that is told of at all of them, and one member who asks all of them.
    const registries = [...all, honest.address];
    const group = keep(await Group.start({ name: "Lab", registries, log }));
    const user = await connect({ name: "chatter", registries });
    // By its name nobody could tell which one it is, where registries disagree.
    await user.join("Lab").then(() => assert.fail("joined"), (error) => {
      assert.equal(error.code, "not_found");
      assert.ok(error.message.includes(shortKey(group.key)), error.message);
    });
    await user.join(group.address);
    const chatter = keep(new Chatter(user));
    await chatter.start();
    const { id } = group.record();
    const rounds = sized(1, 20);
    let asked = 0;
    for (let round = 0; round < rounds; round++) {
      const users = names.map(async (name, i) => {
        await using user = await connect({ name: "alice", registries: [all[i], honest.address] });
        const found = (await user.list()).filter(({ record }) => record?.id === id);
        assert.equal(found.length, 1, name);
        // "Lab" of another key may be listed beside it; one that was joined is never mixed up.
        const joined = await user.join(group.address);
        assert.equal(joined.id, id, name);
        assert.ok((await user.send("Lab", "hello")).seq > 0);
        const again = await user.join("Lab").then(({ id }) => id, (error) => error.name);
        assert.equal(again, id, name);
        asked++;
      });
      await Promise.all(users);
    }
    // The lease at the honest one was renewed all the while.
    const hand = keep(await Hand.open(bare(honest.address)));
    const since = performance.now();
    await until(
      async () => {
        const { group } = await hand.ask("resolve", { group: "Lab" });
        assert.equal((group as { state: string }).state, "live");
        return performance.now() - since > 2_500;
      },
      10_000,
      "a lease that is renewed",
    );
    assert.deepEqual(honest.state.recordOf(id), group.record());
    assert.ok(group.record().version <= Date.now());
    const warned = all.filter((address) => told.some((text) => text.includes(address)));
    row("hostile registries beside an honest one", {
      kinds: names.length,
      "users who asked both": asked,
      "misled": 0,
      "told in the group's log": warned.length,
      heard: chatter.count,
    });
    assert.equal(asked, rounds * names.length);
    assert.equal(chatter.lost, 0);
    assert.equal(await codeOf(hand.ask("ping")), "ok");
  });
});
