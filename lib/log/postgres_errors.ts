/** Why no server of a database could be used, in a sentence with the way out; never with a password. */

import { FolderUnusable, LogAway, LogUnsafe, sentence, UsageError } from "../errors.ts";
import type { PostgresHost } from "./postgres_url.ts";

/** What was wrong with one server. */
export type Problem = readonly [host: PostgresHost, error: unknown];

/** What codes of the system and of the server (SQLSTATE) mean, and the way out where there is one. */
const REASONS: Readonly<Record<string, readonly [reason: string, wayOut: string]>> = {
  ECONNREFUSED: ["refuses connections", "see whether it runs, and its listen_addresses"],
  ECONNRESET: ["closed the connection", "see what it logs"],
  ENOTFOUND: ["is a name that nobody knows", "correct it, or name its address"],
  EAI_AGAIN: ["is a name that nobody knows now", "see whether there is a network"],
  EHOSTUNREACH: ["cannot be reached", "see whether there is a network"],
  ENETUNREACH: ["cannot be reached", "see whether there is a network"],
  ETIMEDOUT: ["does not answer", "see whether it runs"],
  "28P01": [
    "refuses the password",
    "give the right one in the URL, in PGPASSWORD or in the file that PGPASSFILE names",
  ],
  "28000": ["does not let this role in", "see its pg_hba.conf"],
  "3D000": ["has no such database", "make it with CREATE DATABASE"],
  "53300": ["has no connection left", "raise its max_connections"],
  "57P03": ["takes no connections now", "wait until it has started"],
};

/** The error for a database none of whose servers can be used. */
export function unreachable(shown: string, problems: readonly Problem[]): Error {
  const fatal = problems.map(([, error]) => error)
    .find((error) => error instanceof FolderUnusable || error instanceof UsageError);
  if (fatal) return fatal as Error;
  const told = problems.map(([{ host, port }, error]) => {
    const [reason, wayOut] = reasonOf(error);
    return { text: `${host}:${port} ${reason}`, wayOut };
  });
  const ways = new Set(told.map(({ wayOut }) => wayOut).filter((way) => way !== ""));
  const reasons = told.map(({ text }) => text).join(", ");
  const message = [`Cannot use the database ${shown}: ${reasons}`, ...ways].join("; ");
  const causes = problems.map(([, error]) => error);
  const cause = new AggregateError(causes, "no server of it can be used");
  const unsafe = causes.some((error) => error instanceof LogUnsafe);
  return unsafe ? new LogUnsafe(message, { cause }) : new LogAway(message, { cause });
}

/** What is wrong with one server, and the way out where there is one. */
export function reasonOf(error: unknown): readonly [reason: string, wayOut: string] {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const known = REASONS[(cause as { code?: string }).code ?? ""];
    if (known) return known;
  }
  const [reason, ...wayOut] = sentence(error).replace(/^(?:Cannot .*?: )?it /, "").split("; ");
  return [error instanceof LogAway ? reason : `cannot be used: ${reason}`, wayOut.join("; ")];
}
