/** latency: 50 messages a second to 200 members, from the call to each receipt. */

import { compare, type Result } from "../results.ts";
import { type Figures, rounds } from "../rounds.ts";
import { openSides, type RowSide, type Setting, sidesOf } from "../setting.ts";
import type { Program } from "../programs.ts";
import { openMembers } from "./fanout.ts";

const MEMBERS = 200;
const RATE = 50;
const GOALS = { nats: 1 };
const P50_GOALS = { ...GOALS, before: 1.3 };

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Milliseconds; all members together. */
export async function* latency(setting: Setting): AsyncGenerator<Result> {
  setting.progress("latency");
  const names = sidesOf(setting).filter((name) => name !== "redis");
  await using sides = await openSides(setting, "client", names);
  await using stack = new AsyncDisposableStack();
  const p99 = new Map<string, number[]>();
  const run = [];
  for (const side of sides.all) {
    const hearers = stack.use(await openMembers(setting, side, MEMBERS));
    await paced(side, hearers, RATE); // warms up
    const high: number[] = [];
    p99.set(side.name, high);
    run.push({
      name: side.name,
      async measure() {
        const found = await paced(side, hearers, RATE * (setting.quick ? 1 : 4));
        high.push(found.p99);
        return found.p50;
      },
    });
  }
  const p50: Figures = await rounds(run, setting.rounds);
  yield* compare("latency p50", "ms", p50, P50_GOALS, { lowerIsBetter: true });
  for (const name of p99.keys()) if (!p50.has(name)) p99.delete(name);
  yield* compare("latency p99", "ms", p99, GOALS, { lowerIsBetter: true });
}

async function paced(side: RowSide, hearers: Program, count: number): Promise<Percentiles> {
  await hearers.ask("expect", { messages: count, times: true });
  const { calls } = await side.program.ask("paced", { rate: RATE, count, size: 100 });
  const { lost } = await hearers.ask<{ lost: number }>("finish");
  if (lost > 0) throw new Error(`${side.name} lost ${lost} deliveries`);
  return await hearers.ask<Percentiles>("latency", { calls });
}
