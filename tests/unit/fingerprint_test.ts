import assert from "node:assert/strict";
import { test } from "node:test";
import type { Batch } from "../../lib/protocol/batch.ts";
import { fingerprint as compute } from "../../lib/user/fingerprint.ts";
import type { Checked } from "../../lib/user/groups.ts";
import type { Link } from "../../lib/user/link.ts";
import { History } from "../support/history.ts";

const NOTHING: Checked = { epoch: "", points: [] };

/** As who has seen nothing, or these places, and waits for nothing. */
function fingerprint(link: Link, at?: number, seen = NOTHING) {
  return compute(link, seen, { at, rest: () => Promise.resolve() });
}

function history(sizes: readonly number[]): readonly Batch[] {
  return new History(sizes).batches;
}

/** A group that serves these batches, `limit` entries a page, the last of a page cut. */
function serving(batches: readonly Batch[], limit: number): Link {
  const head = batches.at(-1)!.first + batches.at(-1)!.count - 1;
  const ask = (_: string, { after }: { after: number }) => {
    const page: Batch[] = [];
    let left = limit;
    for (const batch of batches) {
      if (batch.first <= after || left <= 0) continue;
      const { hash: _, ...cut } = batch;
      page.push(batch.count <= left ? batch : { ...cut, count: left });
      left -= batch.count;
    }
    return Promise.resolve({
      epoch: "e",
      head,
      tail: batches[0].first,
      more: left < 0,
      batches: page,
    });
  };
  return { ask, target: { name: "Lab", address: "here" } } as unknown as Link;
}

test("fingerprint refuses a group that does not serve what it says there is", async () => {
  const [batch] = history([1]);
  for (const batches of [[{ ...batch, first: 2 }], [], [{ ...batch, hash: undefined }]]) {
    let asked = 0;
    const page = { epoch: "e", head: 1, tail: 1, more: true, batches };
    const target = { id: "g", name: "Lab", address: "127.0.0.1:1", key: "" };
    const ask = () => (asked++, Promise.resolve(page));
    const link = { target, ask } as unknown as Link;
    await assert.rejects(fingerprint(link), { name: "LogDamaged", seq: 1 });
    assert.equal(asked, 5);
  }
});

test("fingerprint takes entries for dropped, before the group says so and while it reads", async () => {
  const { batches } = new History([2, 2, 2, 2]);
  const wanted = (from: number) => ({ epoch: "e", from, seq: 8, hash: batches[3].hash });
  for (const [tails, from] of [[[1, 1, 5], 5], [[3, 3, 5], 5], [[3], 3]] as [number[], number][]) {
    let reads = 0;
    const ask = (_: string, { after }: { after: number }) => {
      const tail = tails[Math.min(reads++, tails.length - 1)];
      const rest = batches.filter(({ first }) => first > after && first >= tails.at(-1)!);
      return Promise.resolve({ epoch: "e", head: 8, tail, more: true, batches: rest.slice(0, 1) });
    };
    const link = { target: { name: "Lab", address: "here" }, ask } as unknown as Link;
    assert.deepEqual(await fingerprint(link), wanted(from), tails.join());
  }
});

test("fingerprint says when the history is not the one that was followed", async () => {
  const log = new History([1, 3, 5]);
  const link = serving(log.batches, 100);
  const seen = (...points: Checked["points"]) => ({ epoch: "e", points });
  const { hash } = await fingerprint(link, undefined, seen(log.end(1), log.end(2)));
  assert.equal(hash, log.hash);
  for (
    const [point, seq] of [
      [{ ...log.end(1), hash: log.hash }, 2], // another batch
      [{ ...log.end(1), seq: 6 }, 5], // one that ends elsewhere
      [{ ...log.end(2), seq: 10 }, 10], // one that is gone
    ] as const
  ) {
    await assert.rejects(fingerprint(link, undefined, seen(log.end(0), point)), { seq });
  }
  const before = seen({ ...log.end(2), hash: "A".repeat(43) });
  assert.equal((await fingerprint(link, 4, before)).seq, 4, "it is not covered");
  await fingerprint(link, undefined, { ...before, epoch: "other" });
});

test("fingerprint finds a message that stands there twice, however far apart", async () => {
  const log = new History([2]);
  const late = log.until(0).add(1).messages![0][0];
  log.add(2);
  const again = log.batches[0].messages!.slice(1); // entry 2
  const honest = () => fingerprint(serving(log.batches, 3));
  // Of another device, out of an outbox, and of another author: not the same message.
  log.add(1, { messages: [[late, "late"]] });
  log.add(1, { author: "~b", messages: again });
  await honest();
  log.add(3);
  log.add(1, { messages: again });
  await assert.rejects(honest(), { name: "LogDamaged", seq: log.head });
});

test("fingerprint is the hash of the batch that holds the wanted entry, whatever the pages", async () => {
  const batches = history([1, 3, 5, 2, 4]); // first 1, 2, 5, 10, 12
  for (const limit of [5, 6, 7, 100]) {
    for (const [at, index] of [[1, 0], [2, 1], [4, 1], [5, 2], [11, 3], [15, 4]]) {
      const { hash, first, count } = batches[index];
      const wanted = { epoch: "e", from: 1, seq: first + count - 1, hash };
      assert.deepEqual(await fingerprint(serving(batches, limit), at), wanted, `${limit} ${at}`);
    }
    assert.equal((await fingerprint(serving(batches, limit))).hash, batches[4].hash);
  }
});

test("fingerprint says from which entry on the history is not what its hashes say", async () => {
  const batches = history([1, 3, 5]);
  const [one, two, three] = batches;
  for (
    const [served, seq] of [
      [[one, { ...two, name: "b" }, three], 2],
      [[one, two, { ...three, at: 2 }], 5],
      [[one, three], 5],
      [[{ ...one, hash: two.hash }, two, three], 1],
    ] as [Batch[], number][]
  ) {
    await assert.rejects(fingerprint(serving(served, 100)), { name: "LogDamaged", seq });
  }
});

test("fingerprint of a group that dropped its oldest entries begins where they end", async () => {
  const batches = history([1, 3, 5]).slice(1);
  const { from, seq, hash } = await fingerprint(serving(batches, 100));
  assert.deepEqual([from, seq, hash], [2, 9, batches[1].hash]);
  const changed = [batches[0], { ...batches[1], at: 2 }];
  await assert.rejects(fingerprint(serving(changed, 100)), { name: "LogDamaged", seq: 5 });
});
