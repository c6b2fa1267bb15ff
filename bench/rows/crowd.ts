/** crowd: many real members join, follow, and hear one message a second. */

import { setTimeout as pause } from "node:timers/promises";
import { Folder } from "../../tests/support/folder.ts";
import { percentile } from "../../tests/support/percentile.ts";
import { usage } from "../../tests/support/usage.ts";
import { Program } from "../programs.ts";
import { compare, limited, none, NOT_SLOWER, once, type Result } from "../results.ts";
import { type Service, startGroup } from "../servers.ts";
import type { Setting, Wanted } from "../setting.ts";
import type { Tree } from "../trees.ts";

/** Members of one process at most: each holds some descriptors. */
const PER_PROCESS = 2_500;
/** How long a crowd may take to join for each member, and then to hear all, ms. */
const JOIN_WITHIN = 120;
const HEAR_WITHIN = 30_000;

/** Raw subscribers beside the members. */
const EARS = 20;

const LIMITS = {
  joinedIn: { of: 5_000, seconds: 300 },
  /** The group's memory: so much, and for each member, KiB. */
  memory: { base: 100, member: 25 },
  cpuOfJoin: 3,
  p99: 1_000,
  held: { of: 5_000, ms: 20 },
};

/** What a crowd was like. */
interface Crowd {
  /** Why it did not come to its end. */
  readonly broken?: string;
  readonly joined: number;
  /** From the first call of join to the last answer, seconds. */
  readonly joinedIn: number;
  readonly cut: number;
  readonly missed: number;
  /** Of the group at the end, MiB. */
  readonly memory: number;
  /** Of the group, ms a join. */
  readonly cpuOfJoin: number;
  /** Of the members' processes, ms a join and a receipt. */
  readonly cpuOfMember: readonly [join: number, receipt: number];
  /** From the call to each receipt, and to the last one of a message, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly last: number;
  /** From the call to when a raw subscriber, the last one in order, has it, ms; 0 of the version before. */
  readonly told: number;
  /** The group's event loop, while all joined and afterwards, ms. */
  readonly held: readonly [joining: number, speaking: number];
}

/** See the head of this file. */
export async function* crowd(setting: Setting, wanted: Wanted): AsyncGenerator<Result> {
  const sizes = setting.quick ? [100, 300] : [1_000, 5_000, 10_000];
  for (const [i, members] of sizes.entries()) {
    if (!wanted(`crowd-${members}`)) continue;
    setting.progress(`crowd of ${members.toLocaleString("en-US")}`);
    const ours = await gather(setting, members);
    if (ours.broken) throw new Error(`A crowd of ${members}: ${ours.broken}`);
    const before = setting.before && i === 0
      ? await gather(setting, members, setting.before)
      : undefined;
    yield* told(members, ours, before);
  }
}

function* told(members: number, ours: Crowd, before: Crowd | undefined): Generator<Result> {
  const name = (what: string) => `crowd ${members.toLocaleString("en-US")} ${what}`;
  const beside = function* (what: string, unit: string, of: (crowd: Crowd) => number) {
    if (!before) return;
    const figures = { ours: of(ours), "before-curve": of(before) };
    if (!before.broken) yield* once(name(what), unit, figures, { "before-curve": NOT_SLOWER });
    else yield* broken(name(what), of(ours), unit, before.broken);
  };
  const joinedIn = ({ joinedIn }: Crowd) => joinedIn;
  if (members === LIMITS.joinedIn.of) {
    yield limited(name("joined in"), ours.joinedIn, "s", LIMITS.joinedIn.seconds);
  } else if (!before) yield* once(name("joined in"), "s", { ours: ours.joinedIn });
  yield* beside("joined in", "s", joinedIn);
  yield none(name("cut"), ours.cut, "members");
  yield none(name("missed"), ours.missed, "messages");
  const memory = LIMITS.memory.base + members * LIMITS.memory.member / 1_024;
  yield limited(name("memory"), ours.memory, "MiB", memory);
  yield* beside("memory", "MiB", ({ memory }) => memory);
  yield limited(name("CPU of a join"), ours.cpuOfJoin, "ms", LIMITS.cpuOfJoin);
  yield* beside("CPU of a join", "ms", ({ cpuOfJoin }) => cpuOfJoin);
  yield* once(name("receipt p50"), "ms", { ours: ours.p50 });
  yield limited(name("receipt p99"), ours.p99, "ms", LIMITS.p99);
  yield* beside("receipt p99", "ms", ({ p99 }) => p99);
  yield limited(name("told p99"), ours.told, "ms", LIMITS.p99);
  yield* once(name("last receipt"), "ms", { ours: ours.last });
  const limit = members <= LIMITS.held.of ? LIMITS.held.ms : undefined;
  for (const [i, when] of ["joining", "speaking"].entries()) {
    const row = name(`loop held, ${when}`);
    if (limit === undefined) yield* once(row, "ms", { ours: ours.held[i] });
    else yield limited(row, ours.held[i], "ms", limit);
  }
  yield* once(name("members' CPU of a join"), "ms", { ours: ours.cpuOfMember[0] });
  yield* once(name("members' CPU of a receipt"), "ms", { ours: ours.cpuOfMember[1] });
}

function* broken(row: string, ours: number, unit: string, note: string): Generator<Result> {
  const [line] = compare(row, unit, new Map([["ours", [ours]]]));
  yield { ...line, peer: "before-curve", note };
}

/** Lets a crowd join, follow, and hear. */
async function gather({ quick }: Setting, members: number, tree?: Tree): Promise<Crowd> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(new Folder());
  const probe = `${folder.path}/probe`;
  const group = stack.use(
    await startGroup({
      ...(tree ? { side: "before-curve", tree } : {}),
      preload: "load/probe.ts",
      env: { BENCH_PROBE: probe },
    }),
  );
  const open = () => stack.use(new Program({ file: "load/crowd.ts", ...(tree ? { tree } : {}) }));
  const shares = sharesOf(members);
  const programs = shares.map(open);
  const speaker = open();
  const registry = group.address;
  const cpuOf = () => programs.reduce((sum, { pid }) => sum + usage(pid).cpu, 0) * 1_000;
  await heldBy(probe);

  const [cpu, membersCpu, begin] = [usage(group.pid).cpu, cpuOf(), performance.now()];
  await Promise.all(
    programs.map((program, i) => program.ask("join", { registry, members: shares[i] })),
  );
  const joining = await allJoined(group, programs, members);
  const joinedIn = (performance.now() - begin) / 1_000;
  const cpuOfJoin = (usage(group.pid).cpu - cpu) * 1_000 / members;
  const cpuOfMembers = (cpuOf() - membersCpu) / members;
  const none = {
    cut: 0,
    missed: 0,
    memory: 0,
    p50: 0,
    p99: 0,
    last: 0,
    told: 0,
    held: [0, 0] as const,
  };
  if (joining.broken) {
    return { ...none, ...joining, joinedIn, cpuOfJoin, cpuOfMember: [cpuOfMembers, 0] };
  }
  // Joins are told up to a second late.
  await pause(2_000);
  await Promise.all(programs.map((program) => program.ask("settled")));
  const heldJoining = await heldBy(probe);

  const messages = quick ? 5 : 20;
  const ears = tree ? undefined : stack.use(await openEars(registry, messages));
  const speaking = cpuOf();
  const { calls } = await speaker.ask("speak", { registry, messages });
  const found = await Promise.all(
    programs.map((program) => program.ask<Heard>("heard", { messages, within: HEAR_WITHIN })),
  );
  const cpuOfReceipt = (cpuOf() - speaking) / members / messages;
  const after = await stateOf(programs);
  return {
    ...joining,
    ...(group.ended() ? { broken: "ended" } : {}),
    ...{ cut: after.cut, joinedIn, cpuOfJoin, cpuOfMember: [cpuOfMembers, cpuOfReceipt] },
    missed: found.reduce((sum, { missed }) => sum + missed, 0),
    memory: usage(group.pid).memory,
    ...percentiles(found.flatMap(({ spans }) => spans)),
    told: ears ? (await ears.ask<{ p99: number }>("latency", { calls })).p99 : 0,
    held: [heldJoining, group.ended() ? 0 : await heldBy(probe)],
  };
}

/** Subscribers who cost next to nothing, last in the order: when they have it, it was told to all. */
async function openEars(registry: string, messages: number): Promise<Program> {
  const ears = new Program({ file: "load/members.ts" });
  await ears.ask("connect", { side: "ours", address: registry, members: EARS });
  await ears.ask("expect", { messages, times: true });
  return ears;
}

interface Heard {
  readonly missed: number;
  readonly spans: readonly (readonly [message: number, ms: number])[];
}

interface State {
  readonly joined: number;
  readonly cut: number;
  readonly failures: readonly string[];
}

/** How many members each process has. */
function sharesOf(members: number): number[] {
  const processes = Math.ceil(members / PER_PROCESS);
  return Array.from(
    { length: processes },
    (_, i) => Math.floor(members * (i + 1) / processes) - Math.floor(members * i / processes),
  );
}

/** Waits for a crowd; says why it did not come together. */
async function allJoined(group: Service, programs: readonly Program[], members: number) {
  for (
    const end = performance.now() + Math.max(60_000, members * JOIN_WITHIN);
    true;
    await pause(50)
  ) {
    const { joined, failures } = await stateOf(programs);
    if (joined === members) return { joined };
    if (group.ended()) {
      console.error(`the group ended with ${joined} of ${members}: ${failures.join("; ")}`);
      return { joined, broken: `ended at ${joined}` };
    }
    if (performance.now() > end) {
      console.error(`only ${joined} of ${members} have joined: ${failures.join("; ")}`);
      return { joined, broken: `stuck at ${joined}` };
    }
  }
}

async function stateOf(programs: readonly Program[]): Promise<State> {
  const all = await Promise.all(programs.map((program) => program.ask<State>("state")));
  return {
    joined: all.reduce((sum, { joined }) => sum + joined, 0),
    cut: all.reduce((sum, { cut }) => sum + cut, 0),
    failures: [...new Set(all.flatMap(({ failures }) => failures))],
  };
}

/** How long the loop was held since this was asked last, ms. */
async function heldBy(probe: string): Promise<number> {
  const connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(await Deno.readTextFile(probe)),
  });
  const { held, late } = await new Response(connection.readable).json();
  if (late > 100) console.error(`the group's loop was late by ${late.toFixed(0)} ms once`);
  return held;
}

function percentiles(spans: Heard["spans"]): Pick<Crowd, "p50" | "p99" | "last"> {
  const all = spans.map(([, ms]) => ms);
  return { p50: percentile(all, 0.5), p99: percentile(all, 0.99), last: percentile(all, 1) };
}
