/**
 * failover: how long members wait when the server that holds their group stops, or its database:
 * until the next message is acknowledged, and the next one heard.
 */

import { setTimeout as pause } from "node:timers/promises";
import { Program } from "../programs.ts";
import { limited, once, type Result } from "../results.ts";
import { median } from "../rounds.ts";
import type { Setting, Wanted } from "../setting.ts";
import { SharedGroup } from "../shared_group.ts";

/** Who speak, and hear each other; they choose their servers themselves. */
const MEMBERS = 4;

/** What a member may wait at most, s. */
interface Limits {
  readonly p50?: number;
  readonly worst: number;
}

/** From the end of the holder. */
const SERVER: Limits = { p50: 7, worst: 10 };
/** From the end of the promotion of another node. */
const DATABASE: Limits = { worst: 5 };

/** After a moment, member by member, ms. */
interface Waits {
  readonly acknowledged: readonly number[];
  readonly heard: readonly number[];
}

/** Breaks something, waits until members are served again, and mends it. */
type Break = (group: SharedGroup, talkers: Program) => Promise<Waits>;

interface Work {
  readonly row: string;
  /** Not in a quick run. */
  readonly long?: boolean;
  readonly limits: Limits;
  readonly breaks: Break;
}

const WORKS: readonly Work[] = [
  { row: "failover-killed", limits: SERVER, breaks: killed },
  { row: "failover-stopped", limits: SERVER, breaks: stopped },
  { row: "failover-database", limits: DATABASE, breaks: promoted(0) },
  // As long as a program takes that waits until the lease of the primary is over.
  { row: "failover-late", limits: DATABASE, long: true, breaks: promoted(20_000) },
];

/** See the head of this file. */
export async function* failover(setting: Setting, wanted: Wanted): AsyncGenerator<Result> {
  const works = WORKS.filter(({ row, long }) => wanted(row) && !(long && setting.quick));
  await using group = await SharedGroup.start();
  await using talkers = new Program({ file: "load/talkers.ts" });
  await talkers.ask("connect", { address: group.registry, members: MEMBERS });
  for (const { row, limits, breaks } of works) {
    setting.progress(row);
    const all: Waits[] = [];
    for (let round = 0; round < (setting.quick ? 1 : setting.rounds); round++) {
      await waitFrom(talkers, now()); // All are served, and hear each other.
      all.push(await breaks(group, talkers));
    }
    yield* told(row, "acknowledged", all.flatMap(({ acknowledged }) => acknowledged), limits);
    yield* told(row, "heard", all.flatMap(({ heard }) => heard), limits);
  }
}

function* told(row: string, what: string, waits: readonly number[], limits: Limits) {
  const [middle, worst] = [median(waits) / 1_000, Math.max(...waits) / 1_000];
  if (limits.p50 === undefined) yield* once(`${row} ${what} p50`, "s", { ours: middle });
  else yield limited(`${row} ${what} p50`, middle, "s", limits.p50);
  yield limited(`${row} ${what} worst`, worst, "s", limits.worst);
}

async function killed(group: SharedGroup, talkers: Program): Promise<Waits> {
  const holder = await group.holder();
  const from = now();
  holder.signal("SIGKILL");
  const waits = await waitFrom(talkers, from);
  await holder.start();
  return waits;
}

async function stopped(group: SharedGroup, talkers: Program): Promise<Waits> {
  const holder = await group.holder();
  const from = now();
  holder.signal("SIGSTOP");
  try {
    return await waitFrom(talkers, from);
  } finally {
    holder.signal("SIGCONT");
  }
}

/** The primary is killed, and so long afterwards, ms, the standby that has most becomes the primary. */
function promoted(after: number): Break {
  return async ({ postgres }, talkers) => {
    const { primary } = postgres;
    await primary.kill();
    await pause(after);
    const { since } = await postgres.failOver();
    const waits = await waitFrom(talkers, performance.timeOrigin + since);
    await primary.follow(postgres.primary);
    await postgres.primary.hasStandbys(2);
    return waits;
  };
}

function waitFrom(talkers: Program, from: number): Promise<Waits> {
  return talkers.ask<Waits>("after", { from });
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
