/**
 * What the three programs have in common: version, help, arguments, and the types of what
 * composition hands in.
 */

import { sentence, UsageError } from "../errors.ts";
import type { SealedFile, StartedFile } from "../protocol/kept.ts";
import type { Level, Logger } from "../structures/logger.ts";
import { safeJson } from "../text/filter.ts";
import type { User } from "../user/user.ts";
import type { Hold } from "./home.ts";
import { COMMON, type Given, type Options, readArgs } from "./args.ts";
import { failed } from "./render.ts";
import type { Servers } from "./servers.ts";
import type { Ask, Bytes, Output } from "./streams.ts";

/** The version that `--version` shows; a test compares it with deno.json. */
export const VERSION = "0.1.0";

/** What a program says of itself. */
export interface About {
  readonly program: string;
  readonly options: Options;
  /** The page of help about what was typed; the first one about nothing. @throws {UsageError} */
  page(words: readonly string[]): readonly string[];
}

/**
 * Reads a program's arguments and runs it; `--help` and `--version` answer and end with 0, wrong
 * usage is one sentence on standard error and ends with 2.
 */
export async function withArgs(
  argv: readonly string[],
  about: About,
  output: Output,
  run: (given: Given) => Promise<number>,
): Promise<number> {
  try {
    const given = readArgs(argv, { ...about.options, ...COMMON });
    if (given.flags.has("help")) {
      await output.print(about.page(given.positionals).join("\n"));
      return 0;
    }
    if (given.flags.has("version")) {
      await output.print(`zgroup ${VERSION}`);
      return 0;
    }
    return await run(given);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const help = `See ${about.program} ${helpFor(argv, about)}`;
    if (Object.hasOwn(about.options, "log-json") && argv.includes("--log-json")) {
      await output.print(jsonLine("error", sentence(error), { help }));
    } else {
      await output.complain(failed(error));
      await output.complain(help);
    }
    return 2;
  }
}

/** How to ask for the page that tells most about a command line that cannot be used. */
function helpFor([word = ""]: readonly string[], { page }: About): string {
  try {
    if (/^[a-z]/i.test(word) && word !== "help") {
      page(["help", word]);
      return `help ${word}`;
    }
  } catch {
    // There is none about it.
  }
  return "--help";
}

/** A line of a log that programs read. */
export function jsonLine(level: Level, text: string, fields?: object): string {
  return safeJson({ at: new Date().toISOString(), level, text, ...fields });
}

/** What `run/main.ts` gives a program: a signal that Ctrl-C aborts, and the list of what to close. */
export interface Run {
  readonly signal: AbortSignal;
  readonly onClose: (close: () => Promise<unknown> | void) => void;
  /** What SIGHUP does to a server whose terminal is still there, or that never had one. */
  readonly onReopen?: (reopen: () => void) => void;
}

/** Where a server's log lines go. */
export interface LogSink extends Logger {
  /** Writes what is collected, and goes on in the file that is there by now. */
  reopen?(): void;
  /** Writes what is collected. */
  close(): Promise<void>;
}

/** A server that runs in this process. */
export interface Running {
  readonly address: string;
  /** Addresses that others reach a registry by which listens on all of its machine's. */
  readonly others?: readonly string[];
  readonly name?: string;
  /** Public key that it proves. */
  readonly key: string;
  /** Settles when the server stops by itself; with an error when its log failed. */
  readonly stopped: Promise<Error | undefined>;
  close(): Promise<void>;
}

/** How log lines are written. */
export interface LogOptions {
  /** The least that is written; default `info`. */
  readonly level?: Level;
  /** One JSON object a line: `at` (ISO 8601), `level`, `text`, and what the line is about. */
  readonly json?: boolean;
  /** A file instead of standard output; put aside, and the oldest removed, when it is large. */
  readonly file?: string;
  /** How large the file may grow before it is put aside, bytes; default 4 MiB. */
  readonly size?: number;
}

/** Opens a sink that writes to standard output or a file. */
export type OpenLog = (options: LogOptions) => LogSink;

/** What a user is opened with. */
export interface OpenUserOptions {
  /** Folder of identity, outbox and cursors; absent: a fresh user whose things end with it. */
  readonly home?: string | undefined;
  /** `HOST:PORT` of each registry; default `127.0.0.1:5555`. */
  readonly registries?: readonly string[];
  /** The name others see; default the one kept in `home`, else that of the system's user. */
  readonly name?: string;
  /** What brings the bytes, `zmtp` or `libzmq`; default `$ZGROUP_TRANSPORT`, else `zmtp`. */
  readonly transport?: string;
  /**
   * Entries of each group that are kept on one's own disk when they are read, the newest; needs
   * `home`. Default: none are added, and those that are kept can be read; 0 removes them.
   */
  readonly keepLocal?: number | undefined;
  /**
   * True for what ends soon: of a group of several servers it asks the one where it was last.
   * Otherwise it begins at any of them, so that users spread.
   */
  readonly stays?: boolean;
}

/** What a registry is started with. */
export interface OpenRegistryOptions {
  /** Folder of its key and the names taken; absent: a fresh key, and both are gone at the end. */
  readonly home?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 5555; 0 takes a free one. */
  readonly port?: number;
  /** What brings the bytes, `zmtp` or `libzmq`; default `$ZGROUP_TRANSPORT`, else `zmtp`. */
  readonly transport?: string;
  readonly log?: LogSink;
}

/** What a group is started with. */
export interface OpenGroupOptions {
  readonly name: string;
  /** `IP:PORT`; default `127.0.0.1:0`, a free port. */
  readonly address?: string;
  /** The user's folder; its user becomes the founder, and the data is kept below it. */
  readonly home?: string;
  /** Folder of key and log; default `groups/NAME` in `home`. */
  readonly data?: string;
  /** Keep the log in memory. True when there is neither `home` nor `data`. */
  readonly memory?: boolean;
  /**
   * Keep the log, and the group's key, in a database of PostgreSQL instead: `postgres://HOST,…/NAME`.
   * Servers that are started so with one name and database are one group.
   */
  readonly database?: string | undefined;
  /** Of a group in a database: serve its members, and never decide. */
  readonly relayOnly?: boolean;
  /** Of a group in a database: acknowledge also what is on the disk of one machine only. */
  readonly singleCopy?: boolean;
  /** Answer dialect 002 as well, in the clear; anyone can claim any user id in it. */
  readonly plain?: boolean;
  /** Only who is invited may enter. */
  readonly private?: boolean;
  /** Tell no registry. */
  readonly unlisted?: boolean;
  /** Messages a second that one user may send, with a burst of twice that; default 500. */
  readonly rate?: number;
  /** Entries that keep their content; default all. */
  readonly keep?: number;
  /** How long entries keep their content, ms; default for ever. */
  readonly keepFor?: number;
  /** What all peers together may hold, bytes; beyond, the largest are cut. Default 256 MiB. */
  readonly memoryLimit?: number;
  /** Host, without a port, that others reach this machine by; default the host of `address`. */
  readonly advertise?: string;
  /** `HOST:PORT` of each registry; default `127.0.0.1:5555`. */
  readonly registries?: readonly string[];
  /** What brings the bytes, `zmtp` or `libzmq`; default `$ZGROUP_TRANSPORT`, else `zmtp`. */
  readonly transport?: string;
  readonly log?: LogSink;
}

/** Of which folder servers are, and how they are started where they do not run. */
export interface ServersOptions {
  readonly home: string;
  /** Where groups are listed. */
  readonly registries: readonly string[];
  readonly transport: string | undefined;
  /** Where groups listen that nobody gives an address; default `127.0.0.1`. */
  readonly host?: string | undefined;
}

/** What composition starts for a server's program. */
export interface ServerDoors {
  readonly openLog: OpenLog;
  readonly openRegistry: (options: OpenRegistryOptions) => Promise<Running>;
  readonly openGroup: (options: OpenGroupOptions) => Promise<Running>;
  /** Asks on the terminal; undefined when stdin is none. */
  readonly ask?: Ask;
}

/** What the user program needs of composition. */
export interface UserDoors extends Pick<ServerDoors, "ask"> {
  /** Opens this home's user. */
  readonly openUser: (options: OpenUserOptions) => Promise<User>;
  /** This home's user, or a fresh one, to look at servers: nothing is sent, nothing kept. */
  readonly lookingUser: (options: OpenUserOptions) => Promise<User>;
  /** Makes what a home keeps of its user whole again; sentences about what was done. */
  readonly restoreHome: (
    home: string,
    options: { readonly newUser: boolean; readonly name?: string | undefined },
  ) => Promise<readonly string[]>;
  /** The user of a home as the text of an identity file; the passphrase is asked when it is needed. */
  readonly exportIdentity: (
    home: string,
    passphrase: () => Promise<string>,
  ) => Promise<IdentityMoved & { readonly text: string }>;
  /** Makes the user of an identity file that of a home. */
  readonly importIdentity: (
    home: string,
    from: { readonly file: SealedFile; readonly what: string; readonly replace: boolean },
    passphrase: string,
  ) => Promise<IdentityMoved>;
  /** Keeps a text in a file that is not there yet. */
  readonly saveNew: (path: string, text: string) => Promise<void>;
  /** Asks on the terminal, and shows nothing of what is typed; undefined when stdin is none. */
  readonly askSecret?: (question: string) => Promise<string>;
  /** See {@linkcode Hold}. */
  readonly hold: Hold;
  /** What this machine gives a user of a home. */
  readonly machine: (home: string, transport?: string) => Promise<Machine>;
  /** What a database is that keeps groups. @throws {UsageError} it is no URL of one */
  readonly database: (url: string) => Promise<DatabaseFound>;
  /** The servers beside the screens of a folder. */
  readonly servers: (options: ServersOptions) => Promise<Servers>;
  /** A home, and the folders of its profiles. */
  readonly foldersOf: (home: string) => Promise<readonly string[]>;
  /** What `start` was given last in a folder; undefined before. */
  readonly startedWith: (home: string) => Promise<StartedFile | undefined>;
  readonly keepStarted: (home: string, started: StartedFile) => Promise<void>;
  /** The addresses of this machine, without a zone. */
  readonly addresses: () => string[];
  /** What a person types to run a command of this program, in the form that was used here. */
  readonly typed: (command: string) => string;
  /** The name that somebody chose in a home; undefined before. */
  readonly keptName: (home: string) => Promise<string | undefined>;
  /** The name of the system's user. */
  readonly systemName: () => Promise<string>;
  /** Whether anything listens at an address. */
  readonly isListening: (address: string) => Promise<boolean>;
  readonly stdin: Bytes;
  /** Bytes of standard input where it is a file. */
  readonly stdinSize?: () => number | undefined;
}

/** A user who was taken to a file, or from one. */
export interface IdentityMoved {
  readonly name: string;
  readonly id: string;
  /** Names of those joined. */
  readonly groups: readonly string[];
  /** `HOST:PORT` of those whose key is known. */
  readonly registries: readonly string[];
  /** Names of groups that were joined by it. */
  readonly joined?: readonly string[];
  /** Names that other groups have here, which stay. */
  readonly others?: readonly string[];
  /** The folder in which the former user of the home is. */
  readonly aside?: string;
}

/** What was found about this machine. */
export interface Machine {
  /** Runtime and system, with their versions. */
  readonly versions: string;
  /** What brings the bytes, such as `zmtp (ours)`. */
  readonly wire: string;
  /** Why the folder cannot be used; undefined when it can. */
  readonly folderProblem: string | undefined;
  /** Whether the folder has a user that can be used. */
  readonly hasUser: boolean;
  /** What is missing or damaged in the folder, a sentence each, with the way out. */
  readonly problems: readonly string[];
  /** Room on the folder's disk, bytes; undefined where the system does not tell. */
  readonly free: number | undefined;
  /** What to do about too few descriptors; undefined when there are enough. */
  readonly descriptorProblem: string | undefined;
}

/** What was found at one host of a database. */
export interface HostFound {
  /** `HOST:PORT`. */
  readonly address: string;
  /** Why it could not be asked, and what to do. Nothing else is known then. */
  readonly problem?: string;
  readonly wayOut?: string;
  /** PostgreSQL's version, such as `15.18`. */
  readonly version?: string;
  readonly isPrimary?: boolean;
}

/** A group that is kept in a database. */
export interface SharedGroup {
  readonly name: string;
  /** Highest seq. */
  readonly head: number;
  /** Address of the server that decides; undefined where none does. */
  readonly holder: string | undefined;
  /** Whether that renews its lease. */
  readonly isAlive: boolean;
  /** The place to which it was moved; undefined where it is kept here. */
  readonly moved: string | undefined;
  /** Whether it is here as a whole: not while it is being copied to here. */
  readonly isWhole: boolean;
}

/** What was found in a database that keeps groups. */
export interface DatabaseFound {
  readonly hosts: readonly HostFound[];
  /** What its primary says; undefined where none was found. */
  readonly primary?: {
    /** Settings by name, as they count for the role that groups use. */
    readonly settings: Readonly<Record<string, string>>;
    /** Standbys that are connected, and of them those that commits wait for; undefined: not shown. */
    readonly standbys: number;
    readonly inSync: number | undefined;
    /** The role that asked. */
    readonly role: string;
    /** Version of the tables; 0 where there are none yet. */
    readonly schema: number;
    /** The newest that this program knows. */
    readonly known: number;
    readonly groups: readonly SharedGroup[];
  };
}

/** One thing that was looked at. */
export interface Finding {
  readonly good: boolean;
  readonly text: string;
  /** What to do when it is not good. */
  readonly advice?: string | undefined;
}

/** What a command of the user program works with. */
export interface Call {
  readonly given: Given;
  readonly home: string;
  readonly doors: UserDoors;
  readonly output: Output;
  readonly run: Run;
}
