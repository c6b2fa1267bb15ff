/**
 * What a command asks of the holder of a group's folder: the lock on the log is exclusive, so nobody
 * else can do the work. See `requests.ts`.
 */

import { resolve } from "node:path";
import type { Checked, Watch } from "../log/log.ts";
import { isDatabase, type Moved, type Place } from "./moving.ts";

/** What can be asked. */
export type HolderRequest =
  | {
    readonly op: "backup";
    /** Whole paths of the copy, and of the file that it is written to before it has its name. */
    readonly file: string;
    readonly part: string;
  }
  | { readonly op: "verify" }
  | Place & { readonly op: "move" };

/** What is answered, by `op`. */
export interface HolderReplies {
  readonly backup: { readonly head: number };
  readonly verify: Checked;
  readonly move: Moved;
}

/** Does what is asked. */
export type Handle = (
  request: HolderRequest,
  watch: Watch,
) => Promise<HolderReplies[HolderRequest["op"]]>;

/** The request of a value; undefined where it is none. */
export function groupRequest(value: unknown): HolderRequest | undefined {
  const request = value as Partial<HolderRequest> | undefined;
  if (request?.op === "verify") return { op: "verify" };
  if (request?.op === "backup") {
    const { file, part } = request;
    if (isPath(file) && isPath(part)) return { op: "backup", file, part };
  }
  if (request?.op === "move") {
    const { to, singleCopy } = request;
    const isPlace = isPath(to) || (typeof to === "string" && isDatabase(to));
    if (isPlace && typeof singleCopy === "boolean") return { op: "move", to, singleCopy };
  }
  return undefined;
}

/** A path from the root on. */
function isPath(value: unknown): value is string {
  return typeof value === "string" && value.length <= 4_096 && resolve(value) === value;
}
