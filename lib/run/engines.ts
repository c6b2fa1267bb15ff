/** Which engine brings the bytes: ours, or libzmq where somebody asks for it. */

import process from "node:process";
import { UsageError } from "../errors.ts";
import type { Transport } from "../transport/transport.ts";

/** The engines' names. */
export type EngineName = Transport["name"];

/** What is said where libzmq is asked for. */
export const LIBZMQ_WARNING =
  "The engine is libzmq: a stranger who reaches its port ends this program with 2.5 KB; it is " +
  "for ipc:// and peers one trusts";

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
