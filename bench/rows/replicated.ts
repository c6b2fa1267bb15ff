/**
 * replicated: publish-256 into a log that is kept three times: a group over PostgreSQL with two
 * synchronous standbys, beside the same group with SQLite, and JetStream with three replicas.
 */

import { PostgresCluster } from "../../tests/support/postgres.ts";
import { startNatsCluster } from "../nats_cluster.ts";
import { Program } from "../programs.ts";
import { compare, reached, type Result } from "../results.ts";
import { type Figures, median, rounds, type Side } from "../rounds.ts";
import { NAME, startGroup } from "../servers.ts";
import type { Setting, Wanted } from "../setting.ts";

/** Messages in flight, which is also how many one request of ours carries at most, and their size. */
const LOAD = { inFlight: 256, size: 100 };
/** Groups that share a database. */
const GROUPS = 4;
/** Messages a second to reach, and how many times one group four are to be. */
const RATE = 50_000;
const TOGETHER = 1.3;
const OF_SQLITE = 0.5;

/** See the head of this file. */
export async function* replicated(setting: Setting, wanted: Wanted): AsyncGenerator<Result> {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  if (wanted("replicated-256")) yield* ofOne(setting, cluster.url);
  if (wanted("replicated-groups")) yield* ofMany(setting, cluster.url);
}

async function* ofOne(setting: Setting, log: string): AsyncGenerator<Result> {
  const row = "replicated-256";
  setting.progress(row);
  await using stack = new AsyncDisposableStack();
  const sides = [
    { name: "ours", rate: rateOf(stack.use(await publisher({ log }))) },
    { name: "sqlite", rate: rateOf(stack.use(await publisher({}))) },
    ...(setting.peers.includes("nats") ? await natsSides(stack) : []),
  ];
  const figures = await measured(setting, sides);
  yield reached(row, median(figures.get("ours")!), "msg/s", RATE);
  yield* compare(row, "msg/s", figures, { sqlite: OF_SQLITE });
}

/** Four groups over one PostgreSQL at once, beside one of them. */
async function* ofMany(setting: Setting, log: string): AsyncGenerator<Result> {
  const row = `replicated-groups`;
  setting.progress(row);
  await using stack = new AsyncDisposableStack();
  const publishers: Publisher[] = [];
  for (let i = 1; i <= GROUPS; i++) {
    publishers.push(stack.use(await publisher({ name: `${NAME} ${i}`, log })));
  }
  const rates = publishers.map((one) => rateOf(one));
  const sum = (figures: readonly number[]) => figures.reduce((a, b) => a + b);
  const figures = await measured(setting, [
    { name: "ours", rate: async (s) => sum(await Promise.all(rates.map((rate) => rate(s)))) },
    { name: "one group", rate: rates[0] },
  ]);
  yield* compare(row, "msg/s", figures, { "one group": TOGETHER });
}

/** A group, and a member of it in a process of its own. */
interface Publisher extends AsyncDisposable {
  readonly client: Program;
}

async function publisher(
  { name = NAME, log }: { name?: string; log?: string },
): Promise<Publisher> {
  await using stack = new AsyncDisposableStack();
  const group = stack.use(await startGroup({ name, ...(log === undefined ? {} : { log }) }));
  const client = stack.use(new Program({ file: "load/zgroup_client.ts" }));
  await client.ask("connect", { address: group.address, name });
  const all = stack.move();
  return { client, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Messages a second over so many seconds. */
type Rate = (seconds: number) => Promise<number>;

function rateOf({ client }: { readonly client: Program }, load = LOAD): Rate {
  return async (seconds) =>
    (await client.ask<{ rate: number }>("publish", { ...load, seconds })).rate;
}

/**
 * JetStream in two ways: each message by itself, as many in flight; and as many texts in one message,
 * one at a time, which it can neither deliver nor read back one by one.
 */
async function natsSides(stack: AsyncDisposableStack): Promise<TimedSide[]> {
  const cluster = stack.use(await startNatsCluster());
  const client = stack.use(
    new Program({ file: "peers/nats_client.ts", config: "peers/deno.json" }),
  );
  await client.ask("connect", { address: cluster.address });
  const { inFlight, size } = LOAD;
  const packed = rateOf({ client }, { inFlight: 1, size: inFlight * size });
  return [
    { name: "nats-r3", rate: rateOf({ client }) },
    { name: "nats-r3-packed", rate: async (seconds) => inFlight * await packed(seconds) },
  ];
}

interface TimedSide {
  readonly name: string;
  readonly rate: Rate;
}

/** Figures of each side, once all are warm. */
async function measured(setting: Setting, sides: readonly TimedSide[]): Promise<Figures> {
  const run = (seconds: number): Side[] =>
    sides.map(({ name, rate }) => ({ name, measure: () => rate(seconds) }));
  await rounds(run(setting.quick ? 0.3 : 1), 1);
  return await rounds(run(setting.quick ? 0.4 : 1.5), setting.rounds);
}
