/** Which engine brings the bytes: ours, or libzmq where somebody asks for it. */

import process from "node:process";
import type { LogSink } from "../cli/program.ts";
import { UsageError } from "../errors.ts";
import type { Bounds, Transport } from "../transport/transport.ts";
import { zmtpTransport } from "../transport/zmtp/engine.ts";
import { connectionLimit, descriptorWarning } from "./descriptors.ts";

/** The engines' names. */
export type EngineName = Transport["name"];

/** The engine of an option, else of `$ZGROUP_TRANSPORT`, else ours. @throws {UsageError} */
export function engineName(
  asked: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): EngineName {
  const name = asked ?? (env.ZGROUP_TRANSPORT || "zmtp");
  if (name === "zmtp" || name === "libzmq") return name;
  const where = asked === undefined ? "$ZGROUP_TRANSPORT" : "the transport";
  throw new UsageError(`Cannot use ${where} "${name}": expected zmtp or libzmq`);
}

/** Engines that were loaded: libzmq has one context for all its sockets. */
const engines = new Map<EngineName, Transport>();

/** The engine asked for. libzmq is native code: it is loaded when somebody asks for it, and never otherwise. */
export async function transportFor(asked: string | undefined, log: LogSink): Promise<Transport> {
  const name = engineName(asked);
  if (name === "libzmq") {
    log.warn(
      "The engine is libzmq: a stranger who reaches its port ends this program with 2.5 KB; it is " +
        "for ipc:// and peers one trusts",
    );
  }
  const transport = engines.get(name) ??
    (name === "zmtp" ? zmtpTransport() : await loadLibzmq());
  engines.set(name, transport);
  return transport;
}

async function loadLibzmq(): Promise<Transport> {
  try {
    return (await import("../transport/libzmq/zmq.ts")).libzmqTransport();
  } catch (cause) {
    throw new UsageError(
      "Cannot use the engine libzmq: the package zeromq does not load here; it needs " +
        "npm install zeromq, and -A on Deno",
      { cause },
    );
  }
}

/** What the peers of a server may hold here. */
export function boundsHere(bounds: Bounds, total: number = bounds.total): Bounds {
  const connections = connectionLimit() ?? bounds.connections;
  // Nobody takes all there may be: not one IP, however many keys it proves, and no strangers.
  const connectionsPerIp = Math.floor(connections * 3 / 4);
  const strangers = Math.min(bounds.strangers, Math.floor(connections / 2));
  const strangersPerIp = Math.min(bounds.strangersPerIp, Math.floor(connections / 4));
  return { ...bounds, connections, connectionsPerIp, strangers, strangersPerIp, total };
}

/** Says it where this machine lets a server have few connections. */
export function warnOfFew(log: LogSink): void {
  const warning = descriptorWarning();
  if (warning) log.warn(warning);
}
