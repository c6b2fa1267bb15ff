/** What a run of the bench is: how long, beside whom; and the servers and programs of a row. */

import { Program, type ProgramOptions } from "./programs.ts";
import { type Service, type SideName, startSide } from "./servers.ts";

/** How the rows are run. */
export interface Setting {
  readonly quick: boolean;
  /** Measured rounds of each comparison. */
  readonly rounds: number;
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

export interface RowSides extends AsyncDisposable {
  readonly all: readonly RowSide[];
}

const CLIENTS: Readonly<Record<SideName, ProgramOptions>> = {
  zgroup: { file: "load/zgroup_client.ts" },
  "zgroup-curve": { file: "load/zgroup_client.ts" },
  nats: { file: "peers/nats_client.ts", config: "peers/deno.json" },
  redis: { file: "peers/redis_client.ts", config: "peers/deno.json" },
};

/** Starts the servers of a row, and connects a client library or a raw load to each. */
export async function openSides(
  { peers }: Setting,
  kind: "client" | "raw",
  names: readonly SideName[] = ["zgroup", ...peers, "zgroup-curve"],
): Promise<RowSides> {
  const stack = new AsyncDisposableStack();
  const open = async (name: SideName): Promise<RowSide> => {
    const service = stack.use(await startSide(name));
    const program = stack.use(
      new Program(kind === "raw" ? { file: "load/raw.ts" } : CLIENTS[name]),
    );
    await program.ask("connect", { side: name, address: service.address });
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
