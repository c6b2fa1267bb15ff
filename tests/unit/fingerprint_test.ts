import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Batch } from "../../lib/protocol/batch.ts";
import { fingerprint } from "../../lib/user/fingerprint.ts";
import type { Link } from "../../lib/user/link.ts";

/** Batches of these sizes, chained as a log chains them. */
function history(sizes: readonly number[]): Batch[] {
  let hash: Uint8Array = new Uint8Array(32);
  let first = 1;
  return sizes.map((count) => {
    const messages = Array.from(
      { length: count },
      (_, i) => [`mid ${first + i}`, `ü${i}`] as const,
    );
    const author = "author";
    const batch = { first, count, at: 1, kind: "message", author, name: "a", messages } as const;
    hash = createHash("sha256").update(hash).update(JSON.stringify(batch)).digest();
    first += count;
    return { ...batch, hash: base64url(hash) };
  });
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll("=", "");
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

test("fingerprint ends where a group serves nothing of what it says there is", async () => {
  const [batch] = history([1]);
  const page = { epoch: "e", head: 1, more: true, batches: [{ ...batch, first: 2 }] };
  const target = { id: "g", name: "Lab", address: "127.0.0.1:1", key: "" };
  const link = { target, ask: () => Promise.resolve(page) } as unknown as Link;
  assert.equal((await fingerprint(link)).seq, 0);
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
