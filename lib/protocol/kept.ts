/**
 * Files that a folder keeps as JSON: what each must be. Fields that nobody knows are left alone.
 * Stored: do not rename.
 */

import * as v from "valibot";
import { address, count, id, key, listOf, name, problemOf } from "./fields.ts";
import { MAX_SERVERS } from "./limits.ts";

/** `identity.json`: who a user is. */
export interface UserFile {
  readonly name: string;
  /**
   * When the name was chosen, ms since 1970; 0 where nobody did, and it is that of the system's user.
   * Absent in what version 0.1 wrote.
   */
  readonly named?: number;
  /** True once it was exported or imported: other machines may be this user, too. */
  readonly shared?: boolean;
  /** Raw private key, base64url, 43 characters. */
  readonly secretKey: string;
}

/** `key.json`: who a registry is. */
export type KeyFile = Pick<UserFile, "secretKey">;

/** `group.json`: who a group is. */
export interface GroupFile {
  readonly name: string;
  readonly nonce: string;
  /** Raw private key, base64url, 43 characters. */
  readonly secretKey: string;
  /** User id; empty where there is none. */
  readonly founder: string;
  /** The log has had an entry. */
  readonly founded?: boolean;
  /** CRC-32 of the JSON of all the others, in their order; absent in what version 0.1 wrote. */
  readonly sum?: number;
}

/** `ports.json`: where a group was served last. */
export interface PortsFile {
  readonly main: number;
}

/** `hosted.json`: the groups that were made at a prompt of this home, and come back with it. */
export interface HostedFile {
  readonly groups: readonly {
    readonly name: string;
    /** `HOST:PORT` that was asked for; absent: any. */
    readonly address?: string;
    /** Only who is invited may enter. */
    readonly private?: boolean;
    /** No registry is told of it. */
    readonly unlisted?: boolean;
  }[];
}

/** `started.json`: what `start` was given last, and takes again when it is given nothing. */
export interface StartedFile {
  /** `HOST:PORT` of each registry, or `HOST:PORT#KEY`; absent: one of this folder's own. */
  readonly registries?: readonly string[];
  /** Where the folder's own servers listen. */
  readonly host?: string;
  /** Of the folder's own registry. */
  readonly port?: number;
}

/** `moved.json`: the group of this folder is kept somewhere else. */
export interface MovedFile {
  /** A folder's whole path, or the URL of a database without a password. */
  readonly to: string;
}

/** A group as `known.json` has it: where it is, who it must be, and what the user is there. */
export interface KnownGroup {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Where it is, too, when it has several servers. */
  readonly servers?: readonly string[];
  readonly key: string;
  readonly joined: boolean;
  readonly role: string;
}

/** `known.json`: the second copy of whom a user knows; the first is in `user.db`. */
export interface KnownFile {
  /** User id; empty where nobody said. */
  readonly owner: string;
  /** Grows with each change of `user.db` that must not be lost in silence. */
  readonly generation: number;
  readonly groups: readonly KnownGroup[];
  /** Address of a registry → its key. */
  readonly pins: Readonly<Record<string, string>>;
  /** SHA-256 of the rest, hex. */
  readonly sum: string;
}

/** What travels sealed in an identity file: who a user is, and whom it knows. */
export interface IdentityFile extends UserFile {
  /** Those joined. */
  readonly groups: readonly Omit<KnownGroup, "joined">[];
  /** Address of a registry → its key. */
  readonly pins: Readonly<Record<string, string>>;
}

/** An identity file: what opens it, and what is sealed in it. */
export interface SealedFile {
  readonly format: string;
  readonly version: number;
  readonly cipher: "aes-256-gcm";
  /** 12 bytes, base64url. */
  readonly nonce: string;
  readonly scrypt: {
    readonly n: number;
    readonly r: number;
    readonly p: number;
    /** 16 bytes, base64url. */
    readonly salt: string;
  };
  /** An {@linkcode IdentityFile} as JSON, and 16 bytes of its tag, base64url. */
  readonly sealed: string;
  /** SHA-256 of all that, hex. */
  readonly sum: string;
}

const string = v.string();
const group = {
  id: string,
  name: string,
  address: string,
  servers: v.optional(v.array(string)),
  key: string,
  role: string,
} as const;
const [userFile, keyFile, groupFile, portsFile, hostedFile, startedFile, movedFile, pins, known] = [
  v.object({ name, named: v.optional(count), shared: v.optional(v.boolean()), secretKey: key }),
  v.object({ secretKey: key }),
  v.object({
    name: string,
    nonce: string,
    secretKey: key,
    founder: string,
    founded: v.optional(v.boolean()),
    sum: v.optional(v.number()),
  }),
  v.object({ main: v.pipe(count, v.maxValue(65_535)) }),
  v.object({
    groups: v.array(v.object({
      ...{ name, address: v.optional(string) },
      ...{ private: v.optional(v.boolean()), unlisted: v.optional(v.boolean()) },
    })),
  }),
  v.object({
    registries: v.optional(v.pipe(v.array(string), v.minLength(1))),
    host: v.optional(string),
    port: v.optional(v.pipe(count, v.maxValue(65_535))),
  }),
  v.object({ to: string }),
  v.record(string, key),
  v.object({
    owner: string,
    generation: count,
    groups: v.array(v.object({ ...group, joined: v.boolean() })),
    pins: v.record(string, string),
    sum: string,
  }),
];

const identityFile = v.object({
  ...userFile.entries,
  groups: v.array(
    v.object({
      ...group,
      id,
      name,
      address,
      servers: v.optional(listOf(address, MAX_SERVERS)),
      key: v.union([key, v.literal("")]),
    }),
  ),
  pins: v.record(address, key),
});
const bytes = (characters: number) =>
  v.pipe(v.string(), v.length(characters), v.regex(/^[A-Za-z0-9_-]*$/));
const sealedFile = v.object({
  format: string,
  version: count,
  cipher: v.literal("aes-256-gcm"),
  nonce: bytes(16),
  scrypt: v.object({ n: count, r: count, p: count, salt: bytes(22) }),
  sealed: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]*$/)),
  sum: string,
});

/** Why a value cannot be what is kept under this name; undefined when it can. */
export function keptProblem(what: keyof typeof KEPT, value: unknown): string | undefined {
  const result = v.safeParse(KEPT[what], value, { abortEarly: true });
  if (result.success) return undefined;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  return `${path === null ? "" : `${path}: `}${problemOf(issue)}`;
}

const KEPT = {
  ...{ userFile, keyFile, groupFile, portsFile, hostedFile, startedFile, movedFile, pins, known },
  ...{ identityFile, sealedFile },
} as const;
