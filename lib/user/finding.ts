/** Where a group is that a user names: joined before, listed, invited to, or at an address. */

import { IdentityChanged, Refusal, Unreachable, UsageError } from "../errors.ts";
import { type Invite, parseInvite } from "../protocol/invite.ts";
import { isAddress, normalName } from "../protocol/names.ts";
import type { Listing } from "../protocol/schema.ts";
import type { Registries } from "./registries.ts";
import type { GroupTarget, StoredGroup } from "./store.ts";

/**
 * The group of a name or an `IP:PORT`.
 *
 * @throws {Refusal} `not_found`; {Unreachable} no registry answers and it is not known;
 * {IdentityChanged} it is another group than the one known by this name
 */
export async function findGroup(
  target: string,
  groups: readonly StoredGroup[],
  registries: Registries,
): Promise<GroupTarget> {
  const wanted = isAddress(target) ? target : normalName(target);
  const known = groups.find((group) => group.name === wanted || group.address === wanted);
  let listing: Listing | undefined;
  try {
    listing = await registries.resolve(wanted);
  } catch (error) {
    if (!(error instanceof Unreachable) || (!known && !isAddress(wanted))) throw error;
  }
  if (listing) {
    checkPin(listing.name, listing.record?.id ?? "", groups);
    return toTarget(listing);
  }
  if (known) return known;
  if (isAddress(wanted)) {
    return { id: "", name: wanted, address: wanted, curve: "", door: "", key: "" };
  }
  throw new Refusal(
    "not_found",
    `Cannot find the group "${wanted}": no registry lists it; list_groups shows what there is`,
  );
}

/** Where an invite says that a group is; nobody else is asked. @throws {IdentityChanged} */
export function targetOf(invite: Invite, groups: readonly StoredGroup[]): GroupTarget {
  const { id, name, address, curve, door } = invite;
  checkPin(name, id, groups);
  return { id, name, address, curve, door, key: "" };
}

/** A listing as a target. */
export function toTarget({ name, address, record }: Listing): GroupTarget {
  const { id = "", curve = "", door = "", key = "" } = record ?? {};
  return { id, name, address, curve, door, key };
}

/** @throws {UsageError} it is not whole; {Refusal} `bad_invite` it has expired */
export function readInvite(text: string): Invite {
  const invite = parseInvite(text);
  if (!invite) {
    throw new UsageError("Cannot read the invite: it is not whole; copy all of it, in quotes");
  }
  if (invite.expires <= Date.now()) {
    throw new Refusal("bad_invite", "Cannot use the invite: it has expired, ask for a new one");
  }
  return invite;
}

/** The first group of a name that a user meets is the one; another is a stranger. */
function checkPin(name: string, id: string, groups: readonly StoredGroup[]): void {
  const known = groups.find((group) => group.name === name);
  if (!known || known.id === id) return;
  throw new IdentityChanged(
    name,
    `Cannot trust "${name}": ITS IDENTITY HAS CHANGED. The group of this name is another one ` +
      `than you joined before (${known.id}, now ${id || "without a key"}). Somebody may pose ` +
      `as it. If you know why it changed, accept the new one: trust "${name}"`,
  );
}
