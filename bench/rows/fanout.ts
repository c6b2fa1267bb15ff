/** fanout-100, fanout-1000: one durable publisher, many live subscribers, as fast as it goes. */

import type { Program } from "../programs.ts";
import { compare, type Goals, type Result } from "../results.ts";
import { rounds } from "../rounds.ts";
import {
  openProgram,
  openSides,
  type RowSide,
  type Setting,
  sidesOf,
  type Wanted,
} from "../setting.ts";

interface Work {
  readonly row: string;
  readonly members: number;
  /** Deliveries of a round. */
  readonly deliveries: number;
  readonly goals: Goals;
}

const WORKS: readonly Work[] = [
  { row: "fanout-100", members: 100, deliveries: 3_000_000, goals: { nats: 3, redis: 1.5 } },
  {
    row: "fanout-1000",
    members: 1_000,
    deliveries: 5_000_000,
    goals: { "before-curve": 2, nats: 3, redis: 2 },
  },
];

const LOAD = { inFlight: 256, size: 100, live: true };

/** Deliveries a second: from the first call to the last receipt. */
export async function* fanout(setting: Setting, wanted: Wanted): AsyncGenerator<Result> {
  await using sides = await openSides(setting, "client", sidesOf(setting, true));
  for (const { row, members, deliveries, goals } of WORKS.filter(({ row }) => wanted(row))) {
    setting.progress(row);
    await using stack = new AsyncDisposableStack();
    const messages = (share: number) => Math.ceil(deliveries * share / members);
    const run: { name: string; measure(share: number): Promise<number> }[] = [];
    for (const side of sides.all) {
      const hearers = stack.use(await openMembers(setting, side, members));
      const measure = async (share: number) =>
        members * await deliver(side, hearers, messages(share));
      run.push({ name: side.name, measure });
    }
    const sized = (share: number) =>
      run.map(({ name, measure }) => ({ name, measure: () => measure(share) }));
    const [little, much] = setting.quick ? [0.05, 0.2] : [0.1, 1];
    await rounds(sized(little), 1); // warms up
    yield* compare(row, "deliveries/s", await rounds(sized(much), setting.rounds), goals);
  }
}

/** A program of so many subscribers of a side. */
export function openMembers(setting: Setting, side: RowSide, members: number): Promise<Program> {
  return openProgram(setting, side.service, "load/members.ts", { members });
}

/** Messages a second that reach everybody. @throws when some are lost, three times in a row */
async function deliver(side: RowSide, hearers: Program, messages: number): Promise<number> {
  let lost = 0;
  for (let attempt = 0; attempt < 3; attempt++) {
    await hearers.ask("expect", { messages });
    const begin = performance.timeOrigin + performance.now();
    await side.program.ask("publish", { ...LOAD, count: messages });
    const done = await hearers.ask<{ lost: number; last: number }>("finish");
    if (done.lost === 0) return messages / (done.last - begin) * 1_000;
    lost = done.lost;
    console.error(`${side.name} lost ${lost} deliveries: the round is run again`);
  }
  throw new Error(`${side.name} lost ${lost} deliveries`);
}
