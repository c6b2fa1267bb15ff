/** The groups of one database: who they are, and that none of them sees another. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { postgresLog } from "../../lib/log/postgres.ts";
import { postgresGroups } from "../../lib/log/postgres_groups.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { ALICE, append, fill, firsts, mid, Writer } from "./log_support.ts";

const skip = availablePostgres();
let cluster: Promise<PostgresCluster> | undefined;
after(async () => (await cluster)?.close());

/** The database of this file's tests. */
async function database() {
  const { url } = await (cluster ??= PostgresCluster.start());
  return { url, singleCopy: true };
}

test("postgres groups: of several who say who a group is, the first one counts", {
  skip,
}, async () => {
  const options = await database();
  const groups = postgresGroups(options);
  const others = postgresGroups(options);
  try {
    assert.equal(await groups.identity("Lab"), undefined);
    const said = ["a", "b", "c", "d"].map((id) => ({ id, text: `{"key":"${id}"}` }));
    const made = await Promise.all(
      said.map((identity, i) => (i % 2 ? groups : others).make("Lab", identity)),
    );
    assert.equal(new Set(made.map(({ text }) => text)).size, 1);
    assert.deepEqual(await others.identity("Lab"), made[0]);
    await groups.make("Attic", { id: "x", text: "y" });
    assert.deepEqual(await groups.names(), ["Attic", "Lab"]);
    assert.equal(await groups.remove("Attic"), true);
    assert.equal(await groups.remove("Attic"), false);
    assert.deepEqual(await groups.names(), ["Lab"]);
  } finally {
    groups.close();
    others.close();
  }
});

test("postgres groups: of several who find an empty database one makes its tables", {
  skip,
}, async () => {
  await using fresh = await PostgresCluster.start();
  const options = { url: fresh.url, singleCopy: true };
  const all = Array.from({ length: 12 }, () => postgresGroups(options));
  try {
    const names = await Promise.all(all.map((groups) => groups.names()));
    assert.deepEqual(names, all.map(() => []));
  } finally {
    for (const groups of all) groups.close();
  }
});

test("postgres groups: a log and its keys are one group, and no group sees another", {
  skip,
}, async () => {
  const options = await database();
  const groups = postgresGroups(options);
  const [one, other] = ["one", "other"].map((group) => postgresLog({ ...options, group }));
  try {
    const [first, second] = [await one.open(), await other.open()];
    assert.notEqual(first.epoch, second.epoch);
    await fill(one, [3, 4]);
    await other.append(0, { batches: [], values: { a: "1" }, members: [{ user: "x", json: "1" }] });
    assert.deepEqual(await firsts(other, {}), []);
    assert.equal(await other.lastMid(ALICE), undefined);
    assert.deepEqual(await other.find(ALICE, [mid(1)]), new Map());
    await append(other, new Writer().many(1));
    assert.deepEqual(await firsts(one, {}), [1, 4]);
    await one.power("drop")!({ keepFrom: 9 });
    assert.deepEqual([one.tail, other.tail], [4, 1]);
    await groups.make("one", { id: "i", text: "t" });
    await groups.remove("other");
    await one.close();
    const again = postgresLog({ ...options, group: "one" });
    try {
      const { epoch, head, values } = await again.open();
      assert.deepEqual([epoch, head, values], [first.epoch, 7, {}]);
    } finally {
      await again.close();
    }
  } finally {
    await one.close();
    await other.close();
    groups.close();
  }
});
