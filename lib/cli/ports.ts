/** What the screens need from the rest of the program; the entry scripts hand in the real ones. */

import type { Entry } from "../protocol/batch.ts";

/** A group that a registry knows. */
export interface Listing {
  readonly name: string;
  readonly address: string;
  readonly state: "live" | "quiet";
  readonly record?: { readonly id: string };
}

/** A group this user is a member of. */
export interface JoinedGroup {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly role: string;
  readonly state: "live" | "unreachable" | "connecting";
  readonly unread: number;
  /** Highest seq this user has seen. */
  readonly cursor: number;
  /** Public key that it proves. */
  readonly key: string;
}

/** An entry and where it comes from. */
export type GroupEntry = Entry & { readonly group: string; readonly epoch: string };

/** What a group answers to an accepted message. */
export interface Receipt {
  readonly mid: string;
  readonly seq: number;
  readonly at: number;
  readonly duplicate: boolean;
}

/** One member of a group. */
export interface MemberInfo {
  readonly user: string;
  readonly name: string;
  readonly role: string;
  readonly present: boolean;
}

/** A role that can be given. */
export type Role = "admin" | "member" | "reader";

/** What an invite is to be. */
export interface InviteTerms {
  readonly uses?: number;
  /** How long it lasts, ms. */
  readonly for?: number;
  readonly role?: Role;
}

/** What an admin does. `user` is a name or an id. */
export interface Action {
  readonly action:
    | "promote"
    | "demote"
    | "remove"
    | "ban"
    | "unban"
    | "mute"
    | "unmute"
    | "topic";
  readonly user?: string;
  readonly role?: Role;
  /** How long a mute lasts, ms. */
  readonly for?: number;
  readonly topic?: string;
}

/** A hash that covers a group's history. */
export interface FingerprintInfo {
  readonly epoch: string;
  /** Oldest and last entry that it was computed from. */
  readonly from: number;
  readonly seq: number;
  readonly hash: string;
}

/** What was found about a registry or a group. */
export interface ServerInfo {
  readonly what: string;
  readonly address: string;
  readonly problem?: string;
  /** With a problem: nobody answers, another one does, or it cannot be asked from here. */
  readonly why?: "silent" | "another" | "unusable";
  /** How long the answer took, ms. */
  readonly took: number;
  /** Its clock less ours, ms. */
  readonly ahead: number;
  /** The public key it proved. */
  readonly key?: string;
}

/** Who answered when a known group or registry was looked at anew. */
export interface Trusted {
  /** `the group "Lab"`, `the registry 127.0.0.1:5555`. */
  readonly what: string;
  /** Public key that was known; undefined when there was none. */
  readonly before: string | undefined;
  /** Public key that is known now. */
  readonly now: string;
  readonly changed: boolean;
  /** Messages in the outbox that are for the former one, and for nobody else. */
  readonly unsent?: number;
}

/** What was found about this machine. */
export interface MachineInfo {
  /** Runtime, system and the engine, with their versions. */
  readonly versions: string;
  /** What brings the bytes, such as `zmtp (ours)`. */
  readonly wire: string;
  /** Why the folder cannot be used; undefined when it can. */
  readonly folderProblem: string | undefined;
  /** Room on the folder's disk, bytes; undefined where the system does not tell. */
  readonly free: number | undefined;
  /** What to do about too few descriptors; undefined when there are enough. */
  readonly descriptorProblem: string | undefined;
}

/** Which entries to read; `since` and `until` inclusive, `after` and `before` exclusive. */
export interface Range {
  readonly since?: number;
  readonly until?: number;
  readonly after?: number;
  readonly before?: number;
  readonly limit?: number;
  /** The last `limit` of the range, in ascending order. */
  readonly last?: boolean;
}

/** What happens to a user beside the entries. */
export type UserEvent =
  | { readonly type: "state"; readonly group: string; readonly state: string }
  | { readonly type: "typing"; readonly group: string; readonly name: string }
  | { readonly type: "epoch"; readonly group: string }
  | { readonly type: "warning"; readonly text: string }
  | {
    readonly type: "outbox";
    readonly group: string;
    readonly mid: string;
    readonly state: "pending" | "sent" | "failed";
    readonly text: string;
    readonly reason?: string;
  };

/** A user as the screens see it. `target` is a group's name or its address. */
export interface UserPort extends AsyncDisposable {
  readonly id: string;
  readonly name: string;
  readonly registries: readonly string[];
  rename(name: string): Promise<void>;
  list(options?: { prefix?: string }): Promise<Listing[]>;
  join(target: string): Promise<JoinedGroup>;
  leave(target: string): Promise<void>;
  joined(): readonly JoinedGroup[];
  /** Resolves when the message is on disk at the group. */
  send(target: string, text: string): Promise<Receipt>;
  read(target: string, range?: Range): AsyncIterable<GroupEntry>;
  members(target: string): Promise<MemberInfo[]>;
  /** The hash of a group's history up to an entry. */
  fingerprint(target: string, options?: { at?: number }): Promise<FingerprintInfo>;
  /** Asks every registry and every joined group whether it answers. */
  diagnose(): Promise<ServerInfo[]>;
  /** A link by which others can join. */
  invite(target: string, terms?: InviteTerms): Promise<string>;
  /** The seq from which on it counts. */
  act(target: string, action: Action): Promise<number>;
  /** What the group is about; empty when nobody said. */
  topic(target: string): Promise<string>;
  /** Accepts whoever answers as a known group, or as the registry of a `HOST:PORT`. */
  trust(target: string): Promise<Trusted>;
  follow(
    target: string,
    options?: { after?: number; since?: number; signal?: AbortSignal },
  ): AsyncIterable<GroupEntry>;
  /** Moves the stored cursor forward. */
  seen(target: string, seq: number, epoch?: string): void;
  typing(target: string): void;
  on(listener: (event: UserEvent) => void): () => void;
  close(): Promise<void>;
}

/** A server that runs in this process. */
export interface Running extends AsyncDisposable {
  readonly address: string;
  readonly name?: string;
  /** Public key that it proves. */
  readonly key: string;
  /** Settles when the server stops by itself; with an error when its log failed. */
  readonly stopped: Promise<Error | undefined>;
  close(): Promise<void>;
}

/** Where a server's log lines go. */
export interface LogSink {
  info(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
  close(): Promise<void>;
}

/** Opens this home's user. */
export type OpenUser = (
  options: { home: string; registries: string[]; name?: string; transport?: string },
) => Promise<UserPort>;

/** Starts a registry. */
export type OpenRegistry = (
  options: { home: string; host: string; port: number; transport?: string; log: LogSink },
) => Promise<Running>;

/** What a group is started with. */
export interface GroupOptions {
  home: string;
  name: string;
  address: string;
  registries: string[];
  data?: string;
  memory?: boolean;
  plain?: boolean;
  private?: boolean;
  unlisted?: boolean;
  rate?: number;
  keep?: number;
  keepFor?: number;
  memoryLimit?: number;
  advertise?: string;
  transport?: string;
  log: LogSink;
}

/** Starts a group. */
export type OpenGroup = (options: GroupOptions) => Promise<Running>;

/** Opens a sink that writes to standard output or a file. */
export type OpenLog = (options: { quiet?: boolean; json?: boolean; file?: string }) => LogSink;

/** What `run/main.ts` gives a program: a signal that Ctrl-C aborts, and the list of what to close. */
export interface Run {
  readonly signal: AbortSignal;
  readonly onClose: (close: () => Promise<unknown> | void) => void;
}
