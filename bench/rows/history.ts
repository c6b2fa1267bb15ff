/** history: the last 1,000 of many since a time, and all of them in pages, read by the clients. */

import { setTimeout as pause } from "node:timers/promises";
import { compare, type Goals, type Result } from "../results.ts";
import { rounds } from "../rounds.ts";
import { openProgram, openSides, type Setting } from "../setting.ts";

const LAST = 1_000;
const GOALS: Goals = { nats: 2, redis: 1 };

interface Reading {
  readonly ms: number;
  readonly count: number;
}

/** Milliseconds for the last 1,000; entries a second for all. */
export async function* history(setting: Setting): AsyncGenerator<Result> {
  const total = setting.quick ? 100_000 : 1_000_000;
  setting.progress(`history of ${total}`);
  await using sides = await openSides(setting, "client");
  const times = new Map<string, number>();
  for (const { name, service } of sides.all) {
    await using load = await openProgram(setting, service, "load/raw.ts");
    // In parts: what is encoded beforehand has to fit into memory.
    for (let left = total - LAST; left > 0; left -= 100_000) {
      await load.ask("run", { count: Math.min(left, 100_000), size: 100 });
    }
    await pause(50);
    times.set(name, Date.now());
    await load.ask("run", { count: LAST, size: 100 });
  }
  const reading = (since: (name: string) => number | undefined, wanted: number) =>
    sides.all.map(({ name, program }) => ({
      name,
      async measure() {
        const { ms, count } = await program.ask<Reading>("history", { since: since(name) });
        if (count !== wanted) throw new Error(`${name} read ${count} messages of ${wanted}`);
        return since(name) === undefined ? count / ms * 1_000 : ms;
      },
    }));
  const last = reading((name) => times.get(name), LAST);
  await rounds(last, 3); // warms up
  const lastFigures = await rounds(last, setting.rounds);
  yield* compare("history last 1,000", "ms", lastFigures, GOALS, { lowerIsBetter: true });
  const all = reading(() => undefined, total);
  const pages = await rounds(all, setting.quick ? 1 : Math.min(setting.rounds, 5));
  yield* compare("history all", "entries/s", pages, GOALS);
}
