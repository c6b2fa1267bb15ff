/** Takes a user from one machine to another: both are the same user from then on. */

import { writeFile } from "node:fs/promises";
import type { IdentityMoved } from "../cli/program.ts";
import { loadOrMake, makeNew, save } from "../disk/files.ts";
import { FolderUnusable } from "../errors.ts";
import { openIdentity, sealIdentity } from "../protocol/identity_file.ts";
import type { IdentityFile, SealedFile, UserFile } from "../protocol/kept.ts";
import { lookAtStore, storeOwner } from "../store/sqlite_user_look.ts";
import { sqliteStore } from "../store/sqlite_user_store.ts";
import { setUserAside } from "./open_home.ts";
import { identityPath, idOf, keptUser } from "./user_file.ts";

/**
 * The user of a home as the text of an identity file, also while others use the home, which is marked
 * as that of a user on several machines.
 *
 * @throws {FolderUnusable} there is no user, or what is kept is damaged; {LogDamaged}
 */
export async function exportIdentity(
  home: string,
  passphrase: () => Promise<string>,
): Promise<IdentityMoved & { readonly text: string }> {
  const identity = identityIn(home);
  const text = await sealIdentity(identity, await passphrase());
  const user = keptUser(home);
  if (user && !user.shared) save(identityPath(home), { ...user, shared: true });
  return { ...told(identity), text };
}

function identityIn(home: string): IdentityFile {
  const user = keptUser(home);
  if (!user) {
    throw new FolderUnusable(
      `Cannot export from ${home}: it has no user yet; --home DIR names another folder`,
    );
  }
  const { groups = [], pins = {} } = lookAtStore(home, idOf(user)) ?? {};
  const joined = groups.filter(({ joined }) => joined).map((
    { id, name, address, servers, key, role },
  ) => ({ id, name, address, ...(servers ? { servers } : {}), key, role }));
  return { ...user, shared: true, groups: joined, pins };
}

/** Keeps a text in a file that is not there yet, mode 0600. @throws {FolderUnusable} */
export async function saveNew(path: string, text: string): Promise<void> {
  try {
    await makeNew(path, `${path}.part`, (part) => writeFile(part, text));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "it is there already, name another file" : message;
    throw new FolderUnusable(`Cannot write ${path}: ${why}`, { cause });
  }
}

/**
 * Makes the user of an identity file that of a home. Where it is that already, the groups that it has
 * not joined here are added.
 *
 * @param options.replace sets aside another user that the home has
 * @throws {FolderUnusable} another passphrase; the home has another user, or is in use
 */
export async function importIdentity(
  home: string,
  { file, what, replace = false }: {
    readonly file: SealedFile;
    /** Names it in errors. */
    readonly what: string;
    readonly replace?: boolean;
  },
  passphrase: string,
): Promise<IdentityMoved> {
  const identity = await openIdentity(file, passphrase, what);
  const { groups, pins, ...user } = identity;
  const owner = idOf(user);
  const aside = otherUser(home, owner, replace);
  const kept = loadOrMake<UserFile>(identityPath(home), () => user);
  if (idOf(kept) !== owner) throw inUse(home, kept);
  const isNewer = (user.named ?? 0) > (kept.named ?? 0);
  if (isNewer || !kept.shared) {
    save(identityPath(home), { ...(isNewer ? user : kept), shared: true });
  }
  const store = sqliteStore(home, owner);
  const [joined, others]: [string[], string[]] = [[], []];
  try {
    const known = store.groups();
    for (const group of groups) {
      if (known.some(({ id, joined }) => id === group.id && joined)) continue;
      const isOther = known.some(({ id, name }) => name === group.name && id !== group.id);
      (isOther ? others : joined).push(group.name);
      if (!isOther) store.save({ ...group, joined: true });
    }
    for (const [address, key] of Object.entries(pins)) {
      if (store.pinned(address) === undefined) store.pin(address, key);
    }
  } finally {
    store.close();
  }
  return { ...told(identity), joined, others, ...(aside === undefined ? {} : { aside }) };
}

/** Sets another user of a home aside, where that is wished; the folder that it is in then. */
function otherUser(home: string, owner: string, replace: boolean): string | undefined {
  let kept: UserFile | undefined;
  let isOther = false;
  try {
    kept = keptUser(home);
    const known = kept ? idOf(kept) : storeOwner(home);
    isOther = known !== undefined && known !== owner;
  } catch (error) {
    if (!replace) throw error;
    isOther = true; // What is damaged may be anybody's.
  }
  if (!isOther) return undefined;
  if (replace) return setUserAside(home);
  if (kept) throw inUse(home, kept);
  throw new FolderUnusable(
    `Cannot import into ${home}: the groups of another user are in it, whose key is gone; ` +
      "import into another folder (--home DIR), or set that user aside (--replace)",
  );
}

function inUse(home: string, user: UserFile): FolderUnusable {
  return new FolderUnusable(
    `Cannot import into ${home}: its user is ${user.name}#${idOf(user).slice(0, 8)} already; ` +
      "import into another folder (--home DIR), or set that user aside (--replace)",
  );
}

function told(identity: IdentityFile): IdentityMoved {
  const { name, groups, pins } = identity;
  return {
    name,
    id: idOf(identity),
    groups: groups.map(({ name }) => name),
    registries: Object.keys(pins),
  };
}
