/** Where a group is that a user names: joined before, listed, or at an address. */

import { Refusal, Unreachable, UsageError } from "../errors.ts";
import { isAddress } from "../text/addresses.ts";
import { toWanted } from "./groups.ts";
import { checkPin } from "./identity.ts";
import type { Registries } from "./registries.ts";
import type { GroupTarget, StoredGroup } from "../store/user_store.ts";

/**
 * The group of a name or an `IP:PORT`.
 *
 * @throws {Refusal} `not_found`; {Unreachable} no registry answers and it is not known;
 * {IdentityChanged} it is another group than the one known by this name; {UsageError} it has no key
 */
export async function findGroup(
  target: string,
  groups: readonly StoredGroup[],
  registries: Registries,
): Promise<GroupTarget> {
  const wanted = toWanted(target);
  const known = groups.find((group) => group.name === wanted || group.address === wanted);
  const listing = await registries.resolve(wanted, known?.id).catch((error) => {
    if (error instanceof Unreachable && (known || isAddress(wanted))) return undefined;
    throw error;
  });
  if (listing?.record) {
    checkPin(listing.record, groups);
    return listing.record;
  }
  if (listing && (!known || listing.address === known.address)) {
    throw new UsageError(
      `Cannot join "${listing.name}" at ${listing.address}: it is a group of the original programs, ` +
        "which prove no identity and encrypt nothing; use one of them, or start the group with " +
        "group.ts",
    );
  }
  if (known) return known;
  if (isAddress(wanted)) return { id: "", name: wanted, address: wanted, key: "" };
  throw new Refusal(
    "not_found",
    `Cannot find the group "${wanted}": no registry lists it; list_groups shows what there is`,
  );
}
