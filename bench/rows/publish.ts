/** publish-1, publish-256, publish-1k through the clients; publish-raw at the server alone. */

import { compare, type Goals, type Result } from "../results.ts";
import { rounds } from "../rounds.ts";
import { openSides, type Setting, type Wanted } from "../setting.ts";

interface Work {
  readonly row: string;
  readonly inFlight: number;
  readonly size: number;
  readonly goals: Goals;
}

const WORKS: readonly Work[] = [
  { row: "publish-1", inFlight: 1, size: 100, goals: { before: 1.4, redis: 1 } },
  { row: "publish-256", inFlight: 256, size: 100, goals: { before: 1.1, redis: 3, nats: 5 } },
  { row: "publish-1k", inFlight: 256, size: 1_024, goals: { before: 1.1, redis: 3, nats: 3 } },
];

const RAW_GOALS: Goals = { redis: 1.5, nats: 1 };

/** Messages acknowledged a second. */
export async function* publish(setting: Setting, wanted: Wanted): AsyncGenerator<Result> {
  const works = WORKS.filter(({ row }) => wanted(row));
  if (works.length > 0) yield* throughClients(setting, works);
  if (wanted("publish-raw")) yield* raw(setting);
}

async function* throughClients(
  setting: Setting,
  works: readonly Work[],
): AsyncGenerator<Result> {
  await using sides = await openSides(setting, "client");
  for (const { row, inFlight, size, goals } of works) {
    setting.progress(row);
    const measured = sides.all.filter(({ name }) => row !== "publish-1" || name !== "nats");
    const run = (seconds: number) =>
      measured.map(({ name, program }) => ({
        name,
        measure: async () =>
          (await program.ask<{ rate: number }>("publish", { inFlight, size, seconds })).rate,
      }));
    await rounds(run(setting.quick ? 0.3 : 1), 1); // warms up
    const figures = await rounds(run(setting.quick ? 0.4 : 1.5), setting.rounds);
    yield* compare(row, "msg/s", figures, goals);
  }
}

async function* raw(setting: Setting): AsyncGenerator<Result> {
  setting.progress("publish-raw");
  await using sides = await openSides(setting, "raw");
  const counts = new Map<string, number>();
  const run = sides.all.map(({ name, program }) => ({
    name,
    measure: async () => {
      const count = counts.get(name) ?? 20_480;
      const { rate } = await program.ask<{ rate: number }>("run", { count, size: 100 });
      // The next round takes as long as the others'.
      const seconds = setting.quick ? 0.4 : 1.5;
      counts.set(name, Math.min(500_000, Math.ceil(rate * seconds / 256) * 256));
      return rate;
    },
  }));
  await rounds(run, 2); // warms up
  yield* compare("publish-raw", "msg/s", await rounds(run, setting.rounds), RAW_GOALS);
}
