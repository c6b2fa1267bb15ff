/**
 * What a command asks of the holder, the process that has a group's folder open: the lock on the
 * log is exclusive, so nobody else can do the work. They talk over a socket of this machine that
 * the folder's owner alone may use: one request a connection, as one line of JSON, and lines of
 * JSON until it is answered. `holder.ts` answers, `ask_holder.ts` asks.
 */

import { join } from "node:path";
import { load } from "../disk/files.ts";
import {
  DiskFull,
  FolderUnusable,
  LogDamaged,
  LogFailed,
  sentence,
  UsageError,
} from "../errors.ts";
import type { Checked, Watch } from "../log/log.ts";
import type { Moved, Place } from "./moving.ts";

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

/** A request as it travels. */
export interface Question {
  /** What only who can read the folder's note knows. */
  readonly token: string;
  readonly request: HolderRequest;
}

/** What the holder says: each second until the answer, which is the last. */
export type Answer =
  | { readonly waiting: true }
  | { readonly progress: readonly [done: number, total: number] }
  | { readonly ok: object }
  | { readonly error: Failure };

/** An error as it travels. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  /** Of damage. */
  readonly file?: string;
  readonly seq?: number;
}

/** Where the holder of a folder listens, kept in the folder and readable by its owner alone. */
export interface Note {
  readonly socket: string;
  readonly token: string;
}

/** The file of a folder's note. */
export function noteFile(folder: string): string {
  return join(folder, "holder.json");
}

/** The note of a folder; undefined where there is none that makes sense. */
export function note(folder: string): Note | undefined {
  try {
    const { socket, token } = load<Partial<Note>>(noteFile(folder)) ?? {};
    return typeof socket === "string" && typeof token === "string" ? { socket, token } : undefined;
  } catch {
    return undefined;
  }
}

/** Longest line of either side, bytes: a path is at most 4,096. */
export const MAX_LINE = 65_536;
/** How often the holder says how far it is, ms. */
export const SAYS_EVERY = 1_000;

const KINDS = { UsageError, DiskFull, FolderUnusable, LogFailed } as const;

/** An error as it travels; the asker ends with it as if it had done the work itself. */
export function failureOf(error: unknown): Failure {
  const { name } = error as { name?: unknown };
  const known = typeof name === "string" ? name : "Error";
  if (!(error instanceof LogDamaged)) return { name: known, message: sentence(error) };
  return { name: known, message: error.message, file: error.file, seq: error.seq };
}

/** The error of a failure. */
export function errorOf({ name, message, file = "", seq = 0 }: Failure): Error {
  if (name === "LogDamaged") return new LogDamaged(file, seq, message);
  const Kind = Object.hasOwn(KINDS, name) ? KINDS[name as keyof typeof KINDS] : Error;
  return new Kind(message);
}

/** One line of JSON. */
export function toLine(value: Question | Answer): string {
  return JSON.stringify(value) + "\n";
}
