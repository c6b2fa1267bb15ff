import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import { userId } from "../../lib/identity/keys.ts";
import {
  type Batch,
  checkSignature,
  encodeBatch,
  messageHash,
  signedText,
} from "../../lib/protocol/batch.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { suspects as suspectsOf } from "../../lib/group/decide/messages.ts";
import type { Role } from "../../lib/group/members.ts";
import type { Known } from "../../lib/group/request.ts";
import { type Actor, apply, type Draft, type GroupState } from "../../lib/group/state.ts";
import { carryOut, decide, emptyState, join, send } from "./deciding.ts";
import { fixedKey, midAt, NOW, randomFrom } from "./fixtures.ts";

const GROUP = "00000000-0000-8000-8000-000000000001";

function person(first: number, name: string): Actor & { sign(list: readonly Message[]): string } {
  const key = fixedKey(first);
  const user = userId(key.publicKey);
  return {
    user,
    name,
    key: key.publicKey,
    sign: (list) => key.sign(signedText(GROUP, user, list.map(messageHash))),
  };
}
const alice = person(0, "alice");
const bob = person(100, "bob");

function fresh(founder = alice.user, access: GroupState["access"] = "open"): GroupState {
  return emptyState({ id: GROUP, founder, access });
}

/** Places and applies drafts as the server does. */
function run(state: GroupState, drafts: readonly (Draft | undefined)[], now = NOW): Batch[] {
  return carryOut(state, { drafts: drafts.filter((draft) => draft !== undefined) }, now);
}

function leave(state: GroupState, who: Actor): Draft {
  return decide(state, "leave", who).drafts[0];
}

function suspects(
  state: GroupState,
  actor: Actor,
  messages: Message[],
  after?: string,
): string[][] {
  return suspectsOf(state, { actor, messages, after } as unknown as Known<"send">);
}

function texts(from: number, n: number, ms = NOW): Message[] {
  return Array.from({ length: n }, (_, i): Message => [midAt(ms, from + i), `t${from + i}`]);
}

const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

test("group: the founder joins as founder, everybody else as member", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  run(state, [join(state, bob)]);
  assert.deepEqual(
    [...state.members.values()].map(({ name, role, since }) => [name, role, since]),
    [
      ["alice", "founder", 1],
      ["bob", "member", 2],
    ],
  );
});

test("group: a group without a founder has none", () => {
  const state = fresh("");
  run(state, [join(state, { user: "", name: "nobody" })].slice(1));
  run(state, [join(state, alice)]);
  assert.equal(state.members.get(alice.user)?.role, "member");
});

test("group: joining again changes nothing, and under another name only the name", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  assert.equal(join(state, alice), undefined);
  run(state, [join(state, { ...alice, name: "Alice" })]);
  const member = state.members.get(alice.user)!;
  assert.deepEqual([member.name, member.role, member.since], ["Alice", "founder", 1]);
  assert.equal(state.head, 2);
});

test("group: who left is no member, and may come back", () => {
  const state = fresh();
  run(state, [join(state, bob)]);
  run(state, [leave(state, bob)]);
  assert.equal(state.members.has(bob.user), false);
  assert.throws(() => leave(state, bob), refused("not_member"));
  assert.throws(() => send(state, bob, texts(0, 1)), refused("not_member"));
  run(state, [join(state, bob)]);
  assert.equal(state.members.get(bob.user)?.since, 3);
});

test("group: what a member who is gone sent last is forgotten", () => {
  const ways: ((state: GroupState) => Draft)[] = [
    (state) => leave(state, bob),
    (state) => decide(state, "act", alice, { action: "remove", user: bob.user }).drafts[0],
    (state) => decide(state, "act", alice, { action: "ban", user: bob.user }).drafts[0],
  ];
  for (const go of ways) {
    const state = fresh();
    run(state, [join(state, alice), join(state, bob)]);
    run(state, send(state, bob, texts(0, 1)).drafts);
    assert.deepEqual([...state.lastMid.keys()], [bob.user]);
    run(state, [go(state)]);
    assert.equal(state.lastMid.size, 0);
  }
});

test("group: a join of a log that kept keys of connections folds like any other", () => {
  const state = fresh();
  const [batch] = run(state, [join(state, bob)]);
  const old = fresh();
  apply(old, { ...batch, body: { ...batch.body, curve: "x".repeat(40) } });
  assert.deepEqual(old, state);
});

test("group: only members send, and readers do not", () => {
  const state = fresh();
  assert.throws(() => send(state, alice, texts(0, 1)), refused("not_member"));
  for (const role of ["reader", "member", "admin", "founder"] as Role[]) {
    state.members.set(bob.user, { user: bob.user, name: "bob", role, since: 1 });
    if (role === "reader") assert.throws(() => send(state, bob, texts(0, 1)), refused("forbidden"));
    else assert.equal(send(state, bob, texts(0, 1)).drafts.length, 1);
  }
});

test("group: seqs begin at 1 and have no gap, whatever the number of messages", () => {
  const state = fresh();
  const batches = run(state, [join(state, alice)]);
  for (const n of [1, 256, 3]) {
    batches.push(...run(state, send(state, alice, texts(n * 1_000, n)).drafts));
  }
  assert.deepEqual(batches.map(({ first, count }) => [first, count]), [[1, 1], [2, 1], [3, 256], [
    259,
    3,
  ]]);
  assert.equal(state.head, 261);
});

test("group: the clock of the log never goes back", () => {
  const state = fresh();
  const at = [NOW, NOW - 5_000, NOW - 1, NOW + 1].map((now, i) =>
    run(
      state,
      [i === 0 ? join(state, alice) : send(state, alice, texts(i, 1)).drafts[0]],
      now,
    )[0].at
  );
  assert.deepEqual(at, [NOW, NOW, NOW, NOW + 1]);
});

test("group: a mid more than a day ahead of the clock is refused, one of a day is taken", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  const day = 86_400_000;
  assert.equal(send(state, alice, texts(0, 1, NOW + day)).drafts.length, 1);
  assert.throws(() => send(state, alice, texts(0, 1, NOW + day + 1)), refused("bad_request"));
});

test("group: only mids up to the greatest of their author can be duplicates", () => {
  const state = fresh();
  run(state, [join(state, alice), join(state, bob)]);
  assert.deepEqual(suspects(state, alice, texts(0, 3)), []);
  run(state, send(state, alice, texts(0, 3)).drafts);
  const again = texts(1, 5);
  // Those behind it tell how far the batch would reach.
  assert.deepEqual(suspects(state, alice, again), [again.map(([mid]) => mid)]);
  assert.deepEqual(suspects(state, alice, texts(3, 2)), []);
  assert.deepEqual(suspects(state, bob, again), []);
  run(state, send(state, alice, texts(-0, 1)).drafts);
  assert.equal(state.lastMid.get(alice.user), midAt(NOW, 2));
});

test("group: a request that follows another is taken where that one was accepted", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  const [first, second, third] = [texts(0, 2), texts(2, 2), texts(4, 2)];
  const after = first[1][0];
  assert.throws(() => send(state, alice, second, { after }), refused("out_of_order"));
  run(state, send(state, alice, first).drafts);
  assert.equal(send(state, alice, second, { after }).drafts.length, 1);
  run(state, send(state, alice, third).drafts);
  // Not the newest any more, so that its place is asked for.
  assert.deepEqual(suspects(state, alice, texts(6, 1), after), [[after]]);
  const seen = new Map([[after, { seq: 3, at: NOW }]]);
  assert.equal(send(state, alice, texts(6, 1), { after, seen }).drafts.length, 1);
  assert.throws(() => send(state, alice, texts(6, 1), { after }), refused("out_of_order"));
  run(state, [join(state, bob)]);
  assert.throws(() => send(state, bob, second, { after }), refused("out_of_order"));
});

test("group: messages that are in the log keep their place, the others fill in around them", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  const list = texts(0, 6);
  const sig = alice.sign(list);
  const seen = new Map([1, 2, 4].map((i) => [list[i][0], { seq: 100 + i, at: 7 }]));
  const plan = send(state, alice, list, { sig, seen });
  const batches = run(state, plan.drafts);
  assert.deepEqual(plan.reply(batches).accepted, [
    { from: 2, count: 1, at: NOW },
    { from: 101, count: 1, at: 7, duplicate: true },
    { from: 102, count: 1, at: 7, duplicate: true },
    { from: 3, count: 1, at: NOW },
    { from: 104, count: 1, at: 7, duplicate: true },
    { from: 4, count: 1, at: NOW },
  ]);
  assert.deepEqual(batches.map((batch) => batch.messages), [[list[0]], [list[3]], [list[5]]]);
  for (const batch of batches) assert.equal(checkSignature(GROUP, batch), "valid");
});

test("group: a request that is in the log as a whole appends nothing", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  const list = texts(0, 3);
  const seen = new Map(list.map(([mid], i) => [mid, { seq: i + 2, at: 7 }]));
  const { drafts, reply } = send(state, alice, list, { seen });
  assert.deepEqual(drafts, []);
  assert.deepEqual(reply([]).accepted.map(({ from }) => from), [2, 3, 4]);
});

test("group: deciding changes nothing", () => {
  const state = fresh();
  run(state, [join(state, alice)]);
  const before = structuredClone(state);
  join(state, bob);
  leave(state, alice);
  send(state, alice, texts(0, 3));
  assert.deepEqual(structuredClone(state), before);
});

test("group: replaying all batches from their JSON gives the same state", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomFrom(seed);
    const people = [alice, bob, person(50, "carol"), { user: "~claimed", name: "claimed" }];
    const state = fresh();
    const log: string[] = [];
    for (let i = 0, now = NOW; i < 300; i++, now += Math.floor(random() * 20) - 8) {
      const who = people[Math.floor(random() * people.length)];
      const what = random();
      try {
        const name = random() < 0.2 ? `${who.name}${i}` : who.name;
        const drafts = what < 0.2
          ? [join(state, { ...who, name })]
          : what < 0.3
          ? [leave(state, who)]
          : send(state, who, texts(i * 10, 1 + Math.floor(random() * 9)), { now }).drafts;
        log.push(...run(state, drafts, now).map(encodeBatch));
      } catch (error) {
        if (!refused("not_member")(error)) throw error;
      }
    }
    const replayed = fresh();
    for (const json of log) apply(replayed, JSON.parse(json));
    assert.deepEqual(replayed, state, `seed ${seed}`);
    assert.ok(state.head > 100);
  }
});

test("group: an entry of a kind that is not known is refused, not skipped", () => {
  const batch = { first: 1, count: 1, at: NOW, kind: "later", author: "a", name: "a" };
  assert.throws(() => apply(fresh(), batch as unknown as Batch), /Cannot apply/);
});
