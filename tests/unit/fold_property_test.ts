import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { apply, type Draft, type GroupState, place, remember } from "../../lib/group/state.ts";
import { type Batch, encodeBatch } from "../../lib/protocol/batch.ts";
import { emptyState } from "./deciding.ts";
import { midAt, NOW } from "./fixtures.ts";
import { holds } from "./properties.ts";

const users = fc.constantFrom("alice", "bob", "carol", "~claimed");
const operations = fc.array(
  fc.record({
    kind: fc.constantFrom<Batch["kind"][]>(
      ...["message", "message", "join", "join", "leave", "promote", "demote"] as const,
      ...["remove", "ban", "unban", "mute", "unmute", "topic", "rename"] as const,
    ),
    author: users,
    user: users,
    n: fc.integer({ min: 1, max: 9 }),
    /** How far the clock goes between two, ms: back, too. */
    tick: fc.integer({ min: -1_000, max: 1_000 }),
  }),
  { maxLength: 40 },
);
type Operation = typeof operations extends fc.Arbitrary<(infer T)[]> ? T : never;

function draftOf({ kind, author, user, n }: Operation, at: number): Draft {
  const draft = { kind, author, name: `${author}${n % 2}`, count: 1 };
  if (kind === "message") {
    const messages = Array.from(
      { length: n },
      (_, i): [string, string] => [midAt(NOW, at + i), ""],
    );
    return { ...draft, count: n, messages };
  }
  const role = kind === "demote" ? "reader" : n > 5 ? "admin" : "member";
  return { ...draft, body: { user, name: user, role, until: n, topic: `topic ${n}` } };
}

/** Places and applies the operations; the batches, and before each what {@linkcode seen} saw. */
function run(state: GroupState, all: readonly Operation[]) {
  let now = NOW;
  return all.map((operation, i) => {
    const before = seen(state);
    const batch = place(state, draftOf(operation, 10 * i), now += operation.tick);
    const undo = remember(state, batch);
    apply(state, batch);
    return { batch, before, undo };
  });
}

/** A state as it can be compared, with the pages that are kept beside its maps. */
function seen({ members, values, lastMid, head, at }: GroupState) {
  const sorted = <T>(map: Map<string, T>) => [...map].sort(([a], [b]) => a < b ? -1 : 1);
  const [pages, bans] = [members.page("", 100), values.banned(100)];
  return {
    members: sorted(members),
    lastMid: sorted(lastMid),
    values: sorted(values),
    head,
    at,
    pages,
    bans,
  };
}

test("fold property: seqs have no gap, and the clock never goes back", () => {
  holds(operations, (all) => {
    const state = emptyState();
    let [next, at] = [1, 0];
    for (const { batch } of run(state, all)) {
      assert.equal(batch.first, next);
      assert.ok(batch.at >= at);
      next += batch.count;
      at = batch.at;
    }
    assert.deepEqual([state.head, state.at], [next - 1, at]);
  });
});

test("fold property: a state is what its log gives from scratch, at any place", () => {
  holds(operations, (all) => {
    const [state, replayed] = [emptyState(), emptyState()];
    for (const { batch, before } of run(state, all)) {
      assert.deepEqual(seen(replayed), before);
      apply(replayed, JSON.parse(encodeBatch(batch)));
    }
    assert.deepEqual(seen(replayed), seen(state));
  });
});

test("fold property: members are who joined and did not go or have to go since", () => {
  holds(operations, (all) => {
    const state = emptyState();
    const members = new Set<string>();
    for (const { batch: { kind, author, body } } of run(state, all)) {
      if (kind === "join") members.add(author);
      if (kind === "leave") members.delete(author);
      if (kind === "remove" || kind === "ban") members.delete(body!.user as string);
    }
    assert.deepEqual(state.members.page("", 100).map(({ user }) => user), [...members].sort());
  });
});

test("fold property: what a batch changes is undone by what is remembered of it", () => {
  holds(operations, (all) => {
    const state = emptyState();
    for (const { before, undo } of run(state, all).reverse()) {
      undo();
      assert.deepEqual(seen(state), before);
    }
  });
});
