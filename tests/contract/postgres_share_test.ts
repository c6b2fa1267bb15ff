/** A log that several servers share: who holds it, and that nobody else changes it. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Closed, Fenced, FolderUnusable } from "../../lib/errors.ts";
import { sealAll, START } from "../../lib/log/chain.ts";
import { commitParameters } from "../../lib/log/postgres_parameters.ts";
import { postgresLog } from "../../lib/log/postgres.ts";
import { SQL } from "../../lib/log/postgres_sql.ts";
import postgres from "postgres";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { append, firsts, powerOf, Writer } from "./log_support.ts";
import { appending, SharedLog } from "./postgres_support.ts";

const skip = availablePostgres();
let started: Promise<PostgresCluster> | undefined;
after(async () => (await started)?.close());

let groups = 0;
/** A log of a group that is this test's own, and more of them. */
async function logs() {
  const cluster = await (started ??= PostgresCluster.start());
  const group = `group ${++groups}`;
  return { cluster, group, make: () => new SharedLog(cluster, { group, singleCopy: true }) };
}

test("postgres lease: it is free, taken, renewed and given up, and each of it moves it", {
  skip,
}, async () => {
  const { make } = await logs();
  await using one = make();
  await using other = make();
  const free = await one.share.lease();
  assert.deepEqual(free, { term: 0, turn: 0, holder: undefined, head: 0 });
  await assert.rejects(append(one.log, new Writer().many(1)), Closed);
  const start = await one.share.claim(free, "one:1");
  assert.deepEqual([start?.head, start?.tail], [0, 1]);
  await append(one.log, new Writer().many(3));
  const held = await other.share.lease();
  assert.deepEqual(held, { term: 1, turn: 1, holder: "one:1", head: 3 });
  await one.share.renew();
  const renewed = await other.share.lease();
  assert.deepEqual(renewed, { ...held, turn: 2 });
  assert.equal(await other.share.claim(held, "other:1"), undefined, "it moved");
  await one.share.release();
  const given = await other.share.lease();
  assert.deepEqual(given, { ...renewed, turn: 3, holder: undefined });
  await assert.rejects(append(one.log, new Writer(4).many(1)), Fenced);
  await assert.rejects(one.share.renew(), Fenced);
  assert.equal((await other.share.claim(given, "other:1"))?.head, 3);
  await append(other.log, new Writer(4).many(1));
});

test("postgres lease: of ten who claim it at once one gets it", { skip }, async () => {
  const { make } = await logs();
  const all = Array.from({ length: 10 }, make);
  try {
    for (let round = 1; round <= 5; round++) {
      const seen = await all[0].share.lease();
      const starts = await Promise.all(
        all.map(({ share }, i) => share.claim(seen, `holder:${i}`)),
      );
      const [winner, ...more] = all.filter((_, i) => starts[i] !== undefined);
      assert.equal(more.length, 0);
      const { term, holder } = await all[0].share.lease();
      assert.deepEqual([term, holder], [round, `holder:${all.indexOf(winner)}`]);
      await winner.log.append(round - 1, { batches: [new Writer(round).many(1)] });
    }
  } finally {
    for (const one of all) await one.log.close();
  }
});

test("postgres log: of two that both believe to hold it, the former one changes nothing", {
  skip,
}, async () => {
  const { make } = await logs();
  await using former = make();
  await using next = make();
  await former.claim("former:1");
  await append(former.log, ...writer(1, 2), ...writer(3, 2));
  await next.claim("next:1");
  await assert.rejects(append(former.log, ...writer(5, 1)), Fenced);
  const values = { mine: "1" };
  await assert.rejects(former.log.append(4, { batches: [], values }), Fenced);
  await assert.rejects(powerOf(former.log, "drop")({ keepFrom: 4 }), Fenced);
  await append(next.log, ...writer(5, 2));
  await assert.rejects(append(former.log, ...writer(5, 1)), Fenced);
  await assert.rejects(former.share.renew(), Fenced);
  // It still reads, and what the other one wrote.
  assert.deepEqual(await firsts(former.log, {}), [1, 3, 5]);
  const { head, values: kept, tail } =
    (await next.share.claim(await next.share.lease(), "next:1"))!;
  assert.deepEqual([head, kept, tail], [6, {}, 1]);
});

test("postgres log: one that is followed says what it was at one moment, and is read on", {
  skip,
}, async () => {
  const { make } = await logs();
  await using holder = make();
  await using relay = make();
  await holder.claim();
  const members = [{ user: "u", json: "{}" }];
  await holder.log.append(0, { batches: writer(1, 3), members, values: { topic: "a\u0000b" } });
  const start = await relay.share.follow();
  assert.deepEqual([start.head, start.members, start.values], [3, members, { topic: "a\u0000b" }]);
  await append(holder.log, ...writer(4, 2));
  await powerOf(holder.log, "drop")({ keepFrom: 4 });
  assert.deepEqual(await firsts(relay.log, {}), [4]);
  assert.equal(relay.log.tail, 4, "it is known with the page");
  await assert.rejects(append(relay.log, ...writer(6, 1)), Fenced);
  assert.equal((await relay.share.claim(await relay.share.lease(), "relay:1"))?.tail, 4);
  await append(relay.log, ...writer(6, 1));
});

test("postgres log: who reads while others append is not put off", { skip }, async () => {
  const { make } = await logs();
  await using holder = make();
  await holder.claim();
  const appends = appending(holder.log);
  await appends.goesOn();
  const reading = async () => {
    for (let i = 0; i < 150; i++) {
      const { acknowledged } = appends;
      const [{ first, count }] = await holder.log.read({ limit: 1, last: true });
      assert.ok(first + count > acknowledged, `${first} is the newest, after ${acknowledged}`);
    }
  };
  await Promise.all([reading(), reading(), reading()]);
  await appends.stop();
  assert.deepEqual(holder.warnings, []);
});

test("postgres log: who opens it alone keeps it, and another is told who has it", {
  skip,
}, async () => {
  const { cluster, group, make } = await logs();
  await using one = make();
  await one.log.open();
  const other = postgresLog({ url: cluster.url, group, singleCopy: true });
  try {
    await assert.rejects(other.open(), (error) => {
      assert.ok(error instanceof FolderUnusable);
      assert.match(
        error.message,
        /^Cannot open the log of group \d+ in .*, process \d+ has it open/,
      );
      return !error.message.includes(cluster.password);
    });
    await one.log.close();
    await other.open();
  } finally {
    await other.close();
  }
});

test(
  "postgres log: a lease that stands still is taken by who opens the log",
  { skip },
  async () => {
    const { make } = await logs();
    await using gone = make();
    await gone.claim("gone:1"); // It renews nothing.
    await using next = make();
    const began = performance.now();
    await next.log.open();
    const took = performance.now() - began;
    assert.ok(took >= 5_000 && took < 15_000, `${took} ms`);
    await assert.rejects(append(gone.log, new Writer().many(1)), Fenced);
  },
);

test("postgres log: a connection that was not looked at changes nothing", { skip }, async () => {
  const { cluster, group, make } = await logs();
  await using one = make();
  await one.claim();
  const sql = postgres(cluster.url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    const batches = writer(1, 1);
    const { sealed, link } = sealAll(START, 0, batches);
    const [{ id }] = await sql`SELECT id FROM zgroup.grp WHERE name = ${group}`;
    const send = async (mark: string) => {
      const rest = [0, 1, link.hash, 0, ...commitParameters({ batches }, sealed)];
      return (await sql.unsafe(SQL.add, [id, 1, 0, mark, ...rest])).length;
    };
    assert.equal(await send(""), 0);
    assert.equal(await send("of another one"), 0);
    await sql`SELECT set_config('zgroup.checked', 'a mark', false)`;
    assert.equal(await send("of another one"), 0);
    assert.equal(await send("a mark"), 1, "and with it it would have");
  } finally {
    await sql.end();
  }
});

function writer(from: number, count: number) {
  return [new Writer(from).many(count)];
}
