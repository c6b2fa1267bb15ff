/** What a URL of PostgreSQL says, with what the environment adds to it, as libpq reads both. */

import fs from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { UsageError } from "../errors.ts";

/** One server of a database. */
export interface PostgresHost {
  readonly host: string;
  readonly port: number;
}

/** Whether a server must prove who it is: `verify-full` by name, `verify-ca` by who signed for it. */
export type SslMode = "disable" | "prefer" | "require" | "verify-ca" | "verify-full";

/** A database and how it is reached. */
export interface PostgresTarget {
  readonly hosts: readonly PostgresHost[];
  readonly database: string;
  readonly user: string;
  /** Undefined where there is none for that server. */
  password(host: PostgresHost): string | undefined;
  readonly sslMode: SslMode;
  /** Certificates of those who sign for servers, PEM; undefined for those that the runtime trusts. */
  readonly authorities: string | undefined;
  /** The URL without user and password, for sentences. */
  readonly shown: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const MODES: readonly string[] = ["disable", "prefer", "require", "verify-ca", "verify-full"];
const KNOWN: readonly string[] = ["sslmode", "sslrootcert", "passfile"];
const URL_PARTS =
  /^postgres(?:ql)?:\/\/(?:([^:@/?#]*)(?::([^/?#]*))?@)?([^@/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;

/** @throws {UsageError} it is no such URL, or a file that it names cannot be read; without password */
export function postgresTarget(url: string, env: Environment = process.env): PostgresTarget {
  const parts = URL_PARTS.exec(url);
  if (!parts) {
    throw unusable("it is no URL like postgres://USER@HOST:PORT,HOST:PORT/DATABASE");
  }
  const [user, password, authority, database] = parts.slice(1, 5).map(decoded);
  const options = new URLSearchParams(parts[5]);
  for (const name of options.keys()) {
    if (!KNOWN.includes(name)) {
      throw unusable(`"${name}" is not one of its options (${KNOWN.join(", ")})`);
    }
  }
  const hosts = (authority ?? "").split(",").map((host) => hostOf(host, env.PGPORT));
  if (!database) throw unusable("it names no database: end it with /DATABASE");
  const who = user || env.PGUSER || userInfo().username;
  const given = password || env.PGPASSWORD;
  const file = options.get("passfile") ?? env.PGPASSFILE;
  const sslMode = (options.get("sslmode") ?? env.PGSSLMODE ?? "prefer") as SslMode;
  if (!MODES.includes(sslMode)) {
    throw unusable(`its sslmode is "${sslMode}", it must be one of ${MODES.join(", ")}`);
  }
  const root = options.get("sslrootcert") ?? env.PGSSLROOTCERT;
  return {
    hosts,
    database,
    user: who,
    password: (host) => given || passwordIn(file, host, database, who),
    // As with libpq: who names authorities wants them asked.
    sslMode: sslMode === "require" && root ? "verify-ca" : sslMode,
    authorities: sslMode.startsWith("verify") || root ? authorities(root) : undefined,
    shown: `postgres://${authority}/${database}`,
  };
}

function unusable(why: string): UsageError {
  return new UsageError(`Cannot use the URL of the log: ${why}`);
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    throw unusable('a "%" in it is not followed by two hexadecimal digits: write it as %25');
  }
}

function hostOf(text: string, defaultPort = "5432"): PostgresHost {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[3] ?? defaultPort);
  if (!parts || !(port >= 1 && port <= 65_535)) {
    throw unusable(`"${text}" is no HOST or HOST:PORT`);
  }
  return { host: parts[1] ?? parts[2], port };
}

/** What a password file says: lines of `host:port:database:user:password`, `*` for any. */
function passwordIn(
  named: string | undefined,
  { host, port }: PostgresHost,
  database: string,
  user: string,
): string | undefined {
  const file = named || join(homedir(), ".pgpass");
  let text: string;
  try {
    const { mode } = fs.statSync(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new UsageError(
        `Cannot use the passwords in ${file}: others may read it; do chmod 600 ${file}`,
      );
    }
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (!named) return undefined;
    throw new UsageError(`Cannot read the passwords in ${file}`, { cause: error });
  }
  const wanted = [host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = line.split(/(?<!\\)(?:\\\\)*:/).map((field) => field.replace(/\\(.)/g, "$1"));
    if (fields.length < 5) continue;
    if (wanted.every((value, i) => fields[i] === "*" || fields[i] === value)) return fields[4];
  }
  return undefined;
}

function authorities(named: string | undefined): string | undefined {
  if (named === "system") return undefined;
  const file = named || join(homedir(), ".postgresql", "root.crt");
  try {
    return fs.readFileSync(file, "utf8");
  } catch (cause) {
    const way = "name the file with sslrootcert, or say sslrootcert=system";
    throw new UsageError(`Cannot read the certificates in ${file}: ${way}`, { cause });
  }
}
