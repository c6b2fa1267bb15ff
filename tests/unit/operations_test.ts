/** The rules of a group's table, asked of a group without sockets: its requests are plain values. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import { Group, type GroupOptions } from "../../lib/group/group.ts";
import { DEFAULT_RATES, ratesFor } from "../../lib/group/limits.ts";
import { OPERATIONS } from "../../lib/group/operations.ts";
import type { Op, Request } from "../../lib/group/request.ts";
import type { Actor } from "../../lib/group/state.ts";
import { userId } from "../../lib/identity/keys.ts";
import { memoryLog } from "../../lib/log/memory.ts";
import type { Encoded } from "../../lib/transport/transport.ts";
import { fixedKey, midAt, NOW } from "./fixtures.ts";

function person(first: number, name: string): Actor & { key: string } {
  const { publicKey: key } = fixedKey(first);
  return { user: userId(key), name, key };
}
const [founder, bob, stranger] = [person(0, "founder"), person(50, "bob"), person(99, "stranger")];

/** A group with its founder and a member, and what it logs. */
async function groupOf(given: Partial<GroupOptions> = {}) {
  const lines: string[] = [];
  const log = memoryLog();
  const key = fixedKey(7).publicKey;
  const access = "open" as const;
  const identity = { id: "g", name: "Lab", key, nonce: "n", founder: founder.user, access };
  const group = new Group({
    identity,
    log,
    start: await log.open(),
    now: () => NOW,
    rates: ratesFor(Infinity),
    encode: () => ({}) as Encoded,
    line: ({ level, text }) => lines.push(`${level}: ${text}`),
    failed: (error) => assert.fail(String(error)),
    broken: (error) => assert.fail(String(error)),
    full: () => assert.fail("full"),
    kept: () => assert.fail("kept"),
    ...given,
  });
  await group.begin();
  const ask = async <K extends Op>(
    op: K,
    actor: Actor | undefined,
    fields: object = FIELDS[op],
  ) => {
    const request = { op, actor, from: "here", size: 100, ...fields } as Request<K>;
    return await group.handle<K>(op === "history" ? request : structuredClone(request));
  };
  for (const actor of [founder, bob]) if (!given.rates) await ask("join", actor);
  return { group, lines, ask };
}

/** Fields of a good request of each operation. */
const FIELDS: Readonly<Record<Op, object>> = {
  prove: {},
  ping: {},
  join: {},
  leave: {},
  send: { messages: [[midAt(NOW), "hi"]] },
  read: { limit: 10, last: false },
  history: { since: 0, measure: () => 1 },
  members: { after: "" },
  subscribe: {},
  unsubscribe: {},
  typing: {},
  invite: { uses: 1, for: 1_000, role: "member" },
  invites: { after: "" },
  revoke: { invite: "all" },
  act: { action: "topic", topic: "t" },
};

/** The code of a refusal, or `ok`. */
function codeOf(asked: Promise<unknown>): Promise<string> {
  return asked.then(() => "ok", (error) => error instanceof Refusal ? error.code : String(error));
}

for (const op of Object.keys(OPERATIONS) as Op[]) {
  test(`operations: who may ask for ${op} is what its row says`, async () => {
    const { who } = OPERATIONS[op];
    const { group, ask, lines } = await groupOf();
    // Whoever has no connection that proved a key cannot follow.
    const good = op === "subscribe" ? "no_session" : "ok";
    const outside = who === "member" ? "not_member" : who === "admin" ? "forbidden" : good;
    if (who !== "anyone") assert.equal(await codeOf(ask(op, undefined)), "no_session");
    assert.equal(await codeOf(ask(op, stranger)), outside);
    if (who === "admin") assert.equal(await codeOf(ask(op, bob)), "forbidden");
    lines.length = 0;
    assert.equal(await codeOf(ask(op, founder)), good);
    const { line, isFrequent } = OPERATIONS[op];
    const level = isFrequent ? "debug" : "info";
    const asker = `${founder.name}#${founder.user.slice(0, 8)} (Lab)`;
    const what = op === "act" ? ": topic" : "";
    assert.deepEqual(lines, line ? [`${level}: ${line} FROM ${asker}${what}`] : []);
    await group.close();
  });
}

test("operations: two may be asked by anyone, two by who is no member, and all else by members", () => {
  const ops = Object.keys(OPERATIONS) as Op[];
  const of = (who: string) => ops.filter((op) => OPERATIONS[op].who === who);
  assert.deepEqual([of("anyone"), of("user")], [["prove", "ping"], ["join", "unsubscribe"]]);
  assert.deepEqual(of("admin"), ["invites", "revoke", "act"]);
});

test("operations: a request costs what its row says, each user and connection its own", async () => {
  const rates = { ...DEFAULT_RATES, others: 10 };
  const { group, ask } = await groupOf({ rates });
  // A burst of 40, and a join takes 10. Who only claims an id pays for its connection, too.
  for (let i = 0; i < 4; i++) assert.equal(await codeOf(ask("join", bob)), "ok");
  assert.equal(await codeOf(ask("join", bob)), "rate_limited");
  assert.equal(await codeOf(ask("join", founder)), "ok");
  const claimed = (n: number) => ({ user: `~${n}`, name: `${n}` });
  for (let i = 0; i < 4; i++) assert.equal(await codeOf(ask("join", claimed(i))), "ok");
  assert.equal(await codeOf(ask("join", claimed(4))), "rate_limited");
  for (let i = 0; i < 40; i++) assert.equal(await codeOf(ask("ping", undefined)), "ok");
  assert.equal(await codeOf(ask("ping", undefined)), "rate_limited");
  group.forget("here");
  assert.equal(await codeOf(ask("ping", undefined)), "ok");
  await group.close();
});

test("operations: what is asked at once is decided in that order and answered when it is kept", async () => {
  const { group, ask } = await groupOf();
  const send = (n: number, actor = bob) =>
    ask("send", actor, { messages: [[midAt(NOW, n), `${n}`]] });
  const [first, again, gone, late, read] = await Promise.allSettled([
    send(1),
    send(1),
    ask("act", founder, { action: "remove", user: bob.user }),
    send(2),
    ask("read", founder),
  ]);
  assert.ok(first.status === "fulfilled" && again.status === "fulfilled");
  const [run] = first.value.accepted;
  assert.deepEqual(again.value.accepted, [{ ...run, duplicate: true }]);
  assert.deepEqual(gone.status === "fulfilled" && gone.value, { seq: run.from + 1 });
  assert.equal(late.status === "rejected" && late.reason.code, "not_member");
  // A query is answered with what is on disk when it is asked.
  assert.equal(read.status === "fulfilled" && JSON.parse(read.value).head, run.from - 1);
  assert.equal(group.head, run.from + 1);
  await group.close();
  assert.equal(await codeOf(send(3, founder)), "stopping");
});
