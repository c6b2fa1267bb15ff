/**
 * Where things are kept, and which registries are asked, when nobody says; and what of a home is
 * the screens' own: profiles of `start`, the lines typed before.
 */

import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { FolderUnusable, UsageError } from "../errors.ts";
import { checkedRegistry, DEFAULT_REGISTRY } from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { checkedName } from "../text/names.ts";
import type { Given } from "./args.ts";

/** The parts of a process that decide. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** The person's own folder. */
  readonly userHome: string;
}

/** The one folder of everything kept: `--home`, `$ZGROUP_HOME`, or the platform's data folder. */
export function homeFolder(
  given: Given,
  { env, platform, userHome }: Environment = {
    env: process.env,
    platform: process.platform,
    userHome: homedir(),
  },
): string {
  const chosen = given.texts.get("home") ?? env.ZGROUP_HOME;
  if (chosen) return chosen;
  if (given.texts.has("home")) throw new UsageError("Cannot use --home: expected a folder");
  if (env.XDG_DATA_HOME) return join(env.XDG_DATA_HOME, "zgroup");
  if (platform === "win32") {
    return join(env.APPDATA ?? join(userHome, "AppData", "Roaming"), "zgroup");
  }
  if (platform === "darwin") return join(userHome, "Library", "Application Support", "zgroup");
  return join(userHome, ".local", "share", "zgroup");
}

/** `--home` once more, for a command line that a person is told; empty where it was not given. */
export function homeOption(given: Given): string {
  const home = given.texts.get("home");
  return home === undefined ? "" : ` --home ${/^[\w./~-]+$/.test(home) ? home : `'${home}'`}`;
}

/** The registries: every `--registry`, else `$ZGROUP_REGISTRY` (commas), else this machine's. */
export function registriesOf(given: Given, environment?: Pick<Environment, "env">): string[] {
  const asked = askedRegistries(given, environment);
  return asked.length > 0 ? asked : [DEFAULT_REGISTRY];
}

/** The registries that somebody named: every `--registry`, else `$ZGROUP_REGISTRY` (commas). */
export function askedRegistries(
  given: Given,
  { env }: Pick<Environment, "env"> = process,
): string[] {
  const options = given.lists.get("registry");
  const addresses = options ??
    (env.ZGROUP_REGISTRY ?? "").split(",").map((text) => text.trim()).filter(Boolean);
  const what = options ? "--registry" : "$ZGROUP_REGISTRY";
  for (const address of addresses) checkedRegistry(what, address);
  return [...new Set(addresses)];
}

/** Entries of each group that are kept on one's own disk when nobody says, and at most. */
const [KEPT, MOST_KEPT] = [10_000, 1_000_000];

/**
 * How many entries of each group are kept on one's own disk: `--keep-local`, `$ZGROUP_KEEP_LOCAL`, or
 * 10,000; of what a script reads as JSON none, unless `--keep-local` says so.
 */
export function keepLocalOf(
  { texts, flags }: Given,
  { env }: Pick<Environment, "env"> = process,
): number | undefined {
  const typed = texts.get("keep-local");
  const said = typed ?? (env.ZGROUP_KEEP_LOCAL || String(KEPT));
  const entries = /^\d{1,7}$/.test(said) ? Number(said) : NaN;
  if (!(entries <= MOST_KEPT)) {
    const what = typed === undefined ? "$ZGROUP_KEEP_LOCAL" : `--keep-local ${safeLine(typed)}`;
    throw new UsageError(
      `Cannot use ${what}: expected a whole number up to ${MOST_KEPT.toLocaleString("en-US")}`,
    );
  }
  return flags.has("json") && typed === undefined && entries > 0 ? undefined : entries;
}

/** Where things are kept, which registries are asked, and by what engine: what opening takes. */
export interface Where {
  readonly home: string;
  readonly registries: string[];
  readonly transport: string | undefined;
}

export function whereOf(given: Given, home: string): Where {
  return { home, registries: registriesOf(given), transport: given.texts.get("transport") };
}

/** Most profiles that are tried. */
const MOST = 99;

/**
 * The folder that `start` works in: the home itself, or `profiles/N` in it while the home is in use
 * by another `start`. It is ours until `release`, or until this process ends, however it ends.
 */
export interface Profile {
  readonly folder: string;
  /** What tells its user from the first one: `-2`, or empty. */
  readonly suffix: string;
  /** Where its servers are: the home, whose registry others know, while nobody else has that. */
  readonly servers: string;
  release(): void;
}

/** Holds a folder for this process; answers how to let go, undefined while another has it. */
export type Hold = (folder: string) => Promise<(() => void) | undefined>;

/** Whom a profile is wanted for. */
export interface ProfileWish {
  /** A profile of this name, in a folder of its own. */
  readonly profile?: string | undefined;
  /** The one whose user has this name, where it is free. */
  readonly user?: string | undefined;
  /** The name of a folder's user; undefined before its first use. */
  nameOf?(folder: string): Promise<string | undefined>;
}

/**
 * Takes the named profile of a home; else the free one that is the user's; else the first free one.
 *
 * @throws {FolderUnusable} none is free
 */
export async function takeProfile(
  home: string,
  hold: Hold,
  { profile: name, user, nameOf }: ProfileWish = {},
): Promise<Profile> {
  const take = async (folder: string, suffix: string): Promise<Profile | undefined> => {
    const release = await hold(folder);
    return release && { folder, suffix, servers: folder, release };
  };
  if (name !== undefined) {
    const profile = await take(join(home, "profiles", encodeURIComponent(checkedName(name))), "");
    if (profile) return profile;
    throw new FolderUnusable(
      `Cannot use the profile "${name}": another program uses it, choose another --profile`,
    );
  }
  const nth = (n: number) =>
    [n === 1 ? home : join(home, "profiles", String(n)), n === 1 ? "" : `-${n}`] as const;
  if (user !== undefined && nameOf) {
    for (let n = 1; n <= MOST && existsSync(nth(n)[0]); n++) {
      if (!isSameName(await nameOf(nth(n)[0]), user)) continue;
      const profile = await take(...nth(n));
      const releaseHome = profile && await hold(home);
      releaseHome?.();
      if (profile) return releaseHome ? { ...profile, servers: home } : profile;
    }
  }
  for (let n = 1; n <= MOST; n++) {
    const profile = await take(...nth(n));
    if (profile) return profile;
  }
  throw new FolderUnusable(`Cannot start: all ${MOST} profiles of ${home} are in use`);
}

/** The users of a home's profiles that are free, in their order. */
export async function freeUsers(
  home: string,
  hold: Hold,
  nameOf: (folder: string) => Promise<string | undefined>,
): Promise<string[]> {
  const names: string[] = [];
  for (let n = 1; n <= MOST; n++) {
    const folder = n === 1 ? home : join(home, "profiles", String(n));
    if (!existsSync(folder)) break;
    const release = await hold(folder);
    release?.();
    const name = release && await nameOf(folder).catch(() => undefined);
    if (name !== undefined) names.push(name);
  }
  return names;
}

function isSameName(kept: string | undefined, typed: string): boolean {
  return kept?.toLowerCase() === typed.trim().toLowerCase();
}

/** Lines that are kept. */
const HISTORY_KEPT = 1_000;

/** The lines typed before, in `history` of the home, readable by its owner only. */
export interface History {
  /** Newest first, as `node:readline` wants them. */
  readonly lines: string[];
  /** Keeps a line; a folder that cannot be written is no reason to disturb anybody. */
  add(line: string): void;
}

/** Reads the history of a home and shortens its file. */
export async function openHistory(home: string): Promise<History> {
  const file = join(home, "history");
  const kept = await readFile(file, "utf8").then((text) => text.split("\n").filter(Boolean))
    .catch(() => []);
  if (kept.length > 2 * HISTORY_KEPT) {
    await writeFile(file, kept.slice(-HISTORY_KEPT).join("\n") + "\n", { mode: 0o600 }).catch(
      () => {},
    );
  }
  let last = kept.at(-1);
  let writing = mkdir(home, { recursive: true, mode: 0o700 }).then(() => {}, () => {});
  return {
    lines: kept.slice(-HISTORY_KEPT).reverse(),
    add: (line) => {
      if (line.trim() === "" || line === last) return;
      last = line;
      writing = writing.then(() => appendFile(file, line + "\n", { mode: 0o600 })).catch(() => {});
    },
  };
}
