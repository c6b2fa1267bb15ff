/** What a run of the bench is: how long, beside whom; and the servers and programs of a row. */

import { Program, type ProgramOptions } from "./programs.ts";
import { type Service, type SideName, startSide } from "./servers.ts";
import type { OldTree } from "./trees.ts";

/** How the rows are run. */
export interface Setting {
  readonly quick: boolean;
  /** Measured rounds of each comparison. */
  readonly rounds: number;
  /** The version before, where this clone has it. */
  readonly before: OldTree | undefined;
  /** Beside whom; only those that are installed. */
  readonly peers: readonly ("nats" | "redis")[];
  /** Says what is measured now. */
  progress(what: string): void;
}

/** Whether a row was asked for. */
export type Wanted = (row: string) => boolean;

/** A side of a row: its server, and a program that drives it. */
export interface RowSide {
  readonly name: SideName;
  readonly service: Service;
  readonly program: Program;
}

interface RowSides extends AsyncDisposable {
  readonly all: readonly RowSide[];
}

/** Sides that are there in this run, in the order in which they take turns. */
export function sidesOf({ before, peers }: Setting, encrypted = false): SideName[] {
  const both = encrypted && !before?.seals;
  const former: SideName[] = both ? ["before", "before-curve"] : ["before"];
  return ["ours", ...(before ? former : []), ...peers];
}

/** What the programs of a version that did not seal call its sides; later ones say `ours`. */
const OLD_NAMES: Readonly<Partial<Record<SideName, string>>> = {
  before: "zgroup",
  "before-curve": "zgroup-curve",
};

/** The peers' own clients. */
const PEERS: Readonly<Partial<Record<SideName, ProgramOptions>>> = {
  nats: { file: "peers/nats_client.ts", config: "peers/deno.json" },
  redis: { file: "peers/redis_client.ts", config: "peers/deno.json" },
};

/** The client library's program of each side is this file's, or the peer's own. */
const CLIENT = "load/zgroup_client.ts";

/** A program for a side: of the version before its own. */
export function programFor({ before }: Setting, side: SideName, file: string): Program {
  const peer = file === CLIENT ? PEERS[side] : undefined;
  const tree = OLD_NAMES[side] ? before : undefined;
  return new Program(peer ?? { file, ...(tree ? { tree } : {}) });
}

/** What the programs of a side call it. */
export function sideFor({ before }: Setting, side: SideName): string {
  const old = OLD_NAMES[side];
  return old ? (before?.seals ? "ours" : old) : side;
}

/** Connects a program for a side to its server. */
export async function openProgram(
  setting: Setting,
  { side, address }: Pick<Service, "side" | "address">,
  file: string,
  fields: object = {},
): Promise<Program> {
  const program = programFor(setting, side, file);
  try {
    await program.ask("connect", { side: sideFor(setting, side), address, ...fields });
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  return program;
}

/** Starts the servers of a row, and connects a client library or a raw load to each. */
export async function openSides(
  setting: Setting,
  kind: "client" | "raw",
  names: readonly SideName[] = sidesOf(setting),
): Promise<RowSides> {
  const stack = new AsyncDisposableStack();
  const file = kind === "client" ? CLIENT : "load/raw.ts";
  const open = async (name: SideName): Promise<RowSide> => {
    const service = stack.use(await startSide(name, setting.before));
    const program = stack.use(await openProgram(setting, service, file));
    return { name, service, program };
  };
  const opened = await Promise.allSettled(names.map(open));
  const failed = opened.find((one) => one.status === "rejected");
  if (failed) {
    await stack.disposeAsync();
    throw failed.reason;
  }
  const all = opened.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
