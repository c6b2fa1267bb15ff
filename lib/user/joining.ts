/** Becoming a member of a group. */

import { Refusal, Unreachable, UsageError } from "../errors.ts";
import { type Invite, looksLikeInvite, parseInvite } from "../protocol/invite.ts";
import type { GroupTarget, StoredGroup } from "../store/user_store.ts";
import { splitRegistry } from "../text/addresses.ts";
import { checkGiven } from "../text/given.ts";
import { formatLocal } from "../text/time.ts";
import type { Parts } from "./connections.ts";
import { findGroup, isOutOfReach } from "./finding.ts";
import { checkPin } from "./identity.ts";
import type { Registries } from "./registries.ts";
import type { JoinOptions } from "./types.ts";

/**
 * Joins the group of a name, an `IP:PORT` or an invite.
 *
 * @throws {Refusal}; {Unreachable}; {IdentityChanged}; {UsageError}
 */
export async function joinGroup(
  target: string,
  { groups, connections, registries, pins }: Parts,
  { key: given }: JoinOptions = {},
): Promise<StoredGroup> {
  checkGiven("Cannot join", { target }, { target: "text" });
  const invite = looksLikeInvite(target) ? readInvite(target) : undefined;
  // Where an invite says that its group is, or who runs it does, nobody else is asked.
  const found = invite
    ? targetOf(invite)
    : given === undefined
    ? await findGroup(target, groups.all, registries)
    : withKey(given, target, groups.all);
  if (invite) checkPin(found, groups.all);
  const known = groups.get(found.id);
  // Anybody can write an invite: where it leads is learned from who proves to be there.
  if (known && !invite) groups.learn(found);
  // An earlier one may wait at an address where the group is no more.
  if (!known?.joined) await connections.drop(found.id);
  // A stranger's name is kept when it has proved to be its.
  const link = known && !invite ? connections.open(known.id).link : connections.link(found);
  try {
    const { epoch, head, role } = await link.join(invite ? { invite: invite.token } : {});
    link.know(epoch, head);
    groups.enter(link.target, role, epoch);
    groups.admitted(link.target.id, link.ticket);
    if (!connections.get(link.target.id)) connections.adopt(link);
  } catch (error) {
    throw whereItIs(found, registries) ?? error;
  } finally {
    if (connections.get(link.target.id)?.link !== link) await link.close();
  }
  // The registry of an invite is the one that the inviter knows.
  const { address, key } = invite ? splitRegistry(invite.registry) ?? {} : {};
  if (address && key && !pins.get(address)) pins.set(address, key);
  return groups.get(link.target.id)!;
}

/**
 * What is wrong when a group that could not be joined says that it is at an address which each
 * machine has for itself, and who lists it is on another one.
 */
function whereItIs(
  { name, address }: { readonly name: string; readonly address: string },
  registries: Registries,
): Unreachable | undefined {
  if (!isOutOfReach(address, registries)) return undefined;
  return new Unreachable(
    address,
    `Cannot reach the group "${name}": it is at ${address}, which is its machine's own; ask who ` +
      "runs it to start it with an address that others reach",
  );
}

/** The group that has a key, at an address. */
function withKey(key: string, address: string, groups: readonly StoredGroup[]): GroupTarget {
  const { id = "", name = address } = groups.find((group) => group.key === key) ?? {};
  return { id, name, address, key };
}

/** The group that an invite leads to. */
function targetOf({ id, name, address, key }: Invite): GroupTarget {
  return { id, name, address, key };
}

/** @throws {UsageError} it is not whole; {Refusal} `bad_invite` it has expired */
function readInvite(text: string): Invite {
  const invite = parseInvite(text);
  if (!invite) {
    throw new UsageError(
      "Cannot read the invite: a part of it is missing or changed; copy all of it again, or ask " +
        "for a new one",
    );
  }
  if (invite.until <= Date.now()) {
    throw new Refusal(
      "bad_invite",
      `Cannot use the invite: its time was over at ${formatLocal(invite.until)}; ask for a new one`,
    );
  }
  return invite;
}
