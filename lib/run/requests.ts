/**
 * How one process asks another of this machine that holds a folder: over a socket that the folder's
 * owner alone may use, one request a connection, as one line of JSON, and lines of JSON until it is
 * answered. `holder.ts` answers, `ask_holder.ts` asks; what can be asked is in `group_requests.ts`
 * and `servers_requests.ts`.
 */

import { join } from "node:path";
import { load } from "../disk/files.ts";
import {
  type Code,
  DiskFull,
  FolderUnusable,
  LogDamaged,
  LogFailed,
  Refusal,
  sentence,
  UsageError,
} from "../errors.ts";
import type { Watch } from "../log/log.ts";

/** Makes a request of what came; undefined where it is none. */
export type Check<Request> = (value: unknown) => Request | undefined;

/** Does what is asked. */
export type Handle<Request> = (request: Request, watch: Watch) => Promise<object>;

/** A request as it travels. */
export interface Question {
  /** What only who can read the folder's note knows. */
  readonly token: string;
  readonly request: object;
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
  /** Of a refusal. */
  readonly code?: Code;
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

/** Longest question, bytes: a path is at most 4,096. */
export const MAX_QUESTION = 65_536;
/** Longest line of an answer, UTF-16 units: a few thousand groups. */
export const MAX_ANSWER = 1_048_576;
/** How often the holder says how far it is, ms. */
export const SAYS_EVERY = 1_000;

const KINDS = { UsageError, DiskFull, FolderUnusable, LogFailed } as const;

/** An error as it travels; the asker ends with it as if it had done the work itself. */
export function failureOf(error: unknown): Failure {
  const { name } = error as { name?: unknown };
  const known = typeof name === "string" ? name : "Error";
  if (error instanceof Refusal) return { name: known, message: error.message, code: error.code };
  if (!(error instanceof LogDamaged)) return { name: known, message: sentence(error) };
  return { name: known, message: error.message, file: error.file, seq: error.seq };
}

/** The error of a failure. */
export function errorOf({ name, message, file = "", seq = 0, code }: Failure): Error {
  if (name === "Refusal" && code) return new Refusal(code, message);
  if (name === "LogDamaged") return new LogDamaged(file, seq, message);
  const Kind = Object.hasOwn(KINDS, name) ? KINDS[name as keyof typeof KINDS] : Error;
  return new Kind(message);
}

/** One line of JSON. */
export function toLine(value: Question | Answer): string {
  return JSON.stringify(value) + "\n";
}
