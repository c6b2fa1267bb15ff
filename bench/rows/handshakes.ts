/** handshakes: how many a second one core of a group's would do. */

import { usage } from "../../tests/support/usage.ts";
import { Program } from "../programs.ts";
import { once, reached, type Result } from "../results.ts";
import { median } from "../rounds.ts";
import { startGroup } from "../servers.ts";
import type { Setting } from "../setting.ts";

/** Handshakes a second to reach on one core. */
const GOAL = 3_000;
/** Each says hello at most 20 times a second: a ticket is good for no more. */
const USERS = 400;

interface Run {
  readonly answers: number;
  readonly resets: number;
  /** Answers a second. */
  readonly rate: number;
}

/**
 * A group spends half a core on handshakes at most, so what a whole core would do is told from the
 * CPU time that they take.
 */
export async function* handshakes(setting: Setting): AsyncGenerator<Result> {
  setting.progress("handshakes");
  await using group = await startGroup();
  await using load = new Program({ file: "load/handshakes.ts" });
  await load.ask("connect", { address: group.address, users: USERS });
  const seconds = setting.quick ? 1 : 3;
  await load.ask("run", { seconds: 1 }); // warms up
  const [core, rates, alone]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < setting.rounds; round++) {
    const cpu = usage(group.pid).cpu;
    const { answers, resets, rate } = await load.ask<Run>("run", { seconds });
    if (resets > 0) console.error(`${resets} handshakes were put off`);
    core.push(answers / (usage(group.pid).cpu - cpu));
    rates.push(rate);
    const own = usage(load.pid).cpu;
    const { done } = await load.ask<{ done: number }>("alone", { seconds: 0.5 });
    alone.push(done / (usage(load.pid).cpu - own));
  }
  const figure = (row: string, figures: readonly number[]) =>
    once(row, "handshakes/s", { ours: median(figures) });
  yield reached("handshakes on one core", median(core), "handshakes/s", GOAL);
  yield* figure("handshakes that a group does", rates);
  yield* figure("handshakes without a connection", alone);
}
