/** Looks at all that a home keeps, and makes it whole again. */

import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Machine } from "../cli/program.ts";
import { makeFolder, replace, syncFolder } from "../disk/files.ts";
import { FolderUnusable, sentence, UsageError } from "../errors.ts";
import { copyIn, type Known, knownPath } from "../store/known_file.ts";
import { queuedPath } from "../store/queued_record.ts";
import { lookAtNames } from "../store/sqlite_name_store.ts";
import {
  isStoreInUse,
  lookAtStore,
  salvage,
  type Salvaged,
  storeOwner,
} from "../store/sqlite_user_look.ts";
import { KEPT_FILES, keptPath, setKeptAside } from "../store/sqlite_kept_file.ts";
import { keptProblem } from "../store/sqlite_kept_store.ts";
import { sqliteStore } from "../store/sqlite_user_store.ts";
import { storePath } from "../store/user_folder.ts";
import { counted } from "../text/counted.ts";
import { engineName } from "./engines.ts";
import { folderProblems } from "./group_folder.ts";
import { hostedIn } from "./hosted_file.ts";
import { machineFor } from "./machine.ts";
import { loadPins } from "./pins.ts";
import { checkKeyFile } from "./registry_key.ts";
import { startedWith } from "./started_file.ts";
import { identityPath, idOf, keptUser, lost, userFile } from "./user_file.ts";

/** What is in a home: whether there is a user that can be used, and all that is wrong. */
export interface HomeFound {
  readonly hasUser: boolean;
  /** A sentence each, with the way out. */
  readonly problems: readonly string[];
}

/** What this machine gives a user of a home. */
export function machine(home: string, transport?: string): Machine {
  const wire = engineName(transport) === "zmtp" ? "zmtp (ours)" : "libzmq";
  return { ...machineFor(home, wire), ...lookAtHome(home) };
}

/** Looks at the user of a home, at its profiles, its registry and its groups. Changes nothing. */
export function lookAtHome(home: string): HomeFound {
  const own = lookAtUser(home);
  const profiles = below(home, "profiles").map(lookAtUser);
  const problems = [
    ...[own, ...profiles].flatMap(({ problems, losses }) => [...problems, ...losses]),
    ...[home, ...below(home, "profiles")].flatMap((folder) =>
      problemOf(() => {
        const problem = keptProblem(folder);
        if (problem) throw problem;
      })
    ),
    ...problemOf(() => checkKeyFile(join(home, "registry"))),
    ...problemOf(() => lookAtNames(join(home, "registry"))),
    ...problemOf(() => hostedIn(home)),
    ...problemOf(() => startedWith(home)),
    ...below(home, "groups").flatMap((group) => [
      ...folderProblems(group),
      ...problemOf(() => loadPins(join(group, "registries.json"))),
    ]),
  ];
  return { hasUser: own.problems.length === 0 && existsSync(identityPath(home)), problems };
}

/** What is wrong with the user of a home, and what is gone from one that can be used. */
function lookAtUser(home: string): { problems: string[]; losses: string[] } {
  let owner: string | undefined;
  let losses: readonly string[] = [];
  const problems = [
    ...problemOf(() => {
      const file = keptUser(home);
      owner = file && idOf(file);
      const other = file ? undefined : storeOwner(home);
      if (other !== undefined) throw lost(home, other);
    }),
    ...problemOf(() => {
      const found = lookAtStore(home, owner);
      losses = found?.warnings ?? [];
      if (!found || found.generation === 0) return;
      const copy = copyIn(home);
      // One that is behind is being written just now, or will be with the next change.
      if (copy !== undefined && copy !== "damaged" && copy.owner === found.owner) return;
      const why = copy === undefined ? "missing" : copy === "damaged" ? copy : "another user's";
      throw new FolderUnusable(
        `Cannot use ${knownPath(home)}: it is ${why}; any command makes it again from user.db`,
      );
    }),
  ];
  return { problems, losses: losses.map((loss) => `${loss}; any command goes on without them`) };
}

function problemOf(look: () => unknown): string[] {
  try {
    look();
    return [];
  } catch (error) {
    return [sentence(error)];
  }
}

/** The folders in a folder of a home. */
function below(home: string, name: string): string[] {
  const folder = join(home, name);
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return []; // There is none, or who looks may not.
  }
}

export interface RestoreOptions {
  /** Begin as a new user, where the key is gone. */
  readonly newUser?: boolean;
  readonly name?: string;
}

/**
 * Makes the files of a home's user whole again from what is left of them; what was there is set
 * aside in a folder of its own. Answers what was done and what is lost, a sentence each.
 *
 * @throws {FolderUnusable} only a new user can begin, or it is in use; {UsageError} the key is whole;
 * {DiskFull}
 */
export function restoreHome(home: string, { newUser = false, name }: RestoreOptions): string[] {
  const { problems: [problem] } = lookAtUser(home);
  if (problem === undefined && keptProblem(home) !== undefined) {
    setKeptAside(home);
    return [
      `Set aside as ${
        keptPath(home)
      }.damaged: what you had read; the groups have it, read it again`,
    ];
  }
  if (problem === undefined) return [`Nothing is wrong in ${home}`];
  const hasKey = problemOf(() => keptUser(home)).length === 0 && existsSync(identityPath(home));
  if (!hasKey && !newUser) throw new FolderUnusable(problem);
  if (hasKey && newUser) {
    throw new UsageError(
      `Cannot begin as a new user in ${home}: the key of the former one is whole, leave out ` +
        "--new-user; or move identity.json away",
    );
  }
  const aside = hasKey ? setAside(home, []) : setUserAside(home);
  const copy = copyIn(aside);
  const read = salvage(aside);
  const file = userFile(home, () => undefined, name);
  const owner = idOf(file);
  const isOurs = (other: string) => newUser || other === "" || other === owner;
  const second = copy !== undefined && copy !== "damaged" && isOurs(copy.owner) ? copy : undefined;
  const first = isOurs(read.owner) ? read : undefined;
  const told = fill(home, owner, { second, first, newUser });
  return [`What was there is set aside in ${aside}`, ...told];
}

/** Sets all that a home keeps of its user aside, key and messages too; the folder that it is in then. */
export function setUserAside(home: string): string {
  return setAside(home, [
    identityPath(home),
    ...KEPT_FILES.map((end) => keptPath(home) + end),
  ]);
}

/** Moves what is kept of a user to a folder beside it, which is answered. @throws {FolderUnusable} */
function setAside(home: string, more: readonly string[]): string {
  const date = new Date().toISOString().replaceAll(":", "-");
  const aside = join(home, `set-aside-${date}`);
  const store = storePath(home);
  const database = [store, `${store}-wal`, `${store}-shm`];
  const files = [...database, knownPath(home), queuedPath(home), ...more].filter(existsSync);
  makeFolder(aside);
  for (const path of files) {
    replace(join(aside, basename(path)), (part) => copyFileSync(path, part));
  }
  if (isStoreInUse(home)) {
    rmSync(aside, { recursive: true });
    throw new FolderUnusable(
      `Cannot restore ${home}: another program of this user has it open, end it and try again`,
    );
  }
  for (const path of files) rmSync(path, { force: true });
  syncFolder(home);
  return aside;
}

interface Sources {
  /** `known.json`, where it is whole. */
  readonly second: Known | undefined;
  /** What could be read of `user.db`. */
  readonly first: Salvaged | undefined;
  readonly newUser: boolean;
}

/** Makes `user.db` again; sentences about what is in it. */
function fill(home: string, owner: string, { second, first, newUser }: Sources): string[] {
  // The second copy is newer than a database that was put back, and whole where that is not.
  const groups = new Map([...first?.groups ?? [], ...second?.groups ?? []].map((g) => [g.id, g]));
  const pins = { ...first?.pins, ...second?.pins };
  const isWhole = first?.outboxIsWhole && first.generation === second?.generation;
  let messages = 0;
  const store = sqliteStore(home, owner);
  try {
    for (const group of groups.values()) {
      store.save(newUser ? { ...group, joined: false, role: "" } : group);
    }
    for (const [address, key] of Object.entries(pins)) store.pin(address, key);
    for (const { id, epoch, cursor } of first?.groups ?? []) store.moveCursor(id, epoch, cursor);
    for (const [id, waiting] of newUser ? [] : first?.outbox ?? []) {
      store.enqueue(id, waiting);
      messages += waiting.length;
    }
  } finally {
    store.close();
  }
  const kept = `${counted(groups.size, "group")}, ${
    counted(Object.keys(pins).length, "key")
  } of registries`;
  return [
    newUser
      ? `You are a new user, ${owner}: who was known is known (${kept}), join the groups again`
      : `Brought back: ${kept}, ${counted(messages, "message")} not sent yet`,
    ...(newUser ? ["What the former user had not sent is not sent"] : []),
    ...(second ? [] : [
      "known.json could not be used either: a group or a registry that is missing here is met as " +
      "for the first time, and whoever has its name then is believed; compare the keys (trust)",
    ]),
    ...(newUser || isWhole ? [] : [
      "More may have waited to be sent, and is lost: look whether your last messages are there (read)",
    ]),
  ];
}
