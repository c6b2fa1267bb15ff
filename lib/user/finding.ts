/** Where a group is that a user names: joined before, listed, or at an address. */

import { Refusal, Unreachable, UsageError } from "../errors.ts";
import type { Listing } from "../protocol/schema.ts";
import { isAddress } from "../text/addresses.ts";
import { isAt, toWanted } from "./groups.ts";
import { checkPin } from "./identity.ts";
import type { Registries } from "./registries.ts";
import { anyOf } from "./servers.ts";
import type { GroupTarget, StoredGroup } from "../store/user_store.ts";

/**
 * A listed group, at one of its servers that are live; undefined for one without a key.
 *
 * @param wanted where it is to be asked, if it is listed there
 */
export function targetOf(
  { address, state, record, servers = [] }: Listing,
  wanted?: string,
): GroupTarget | undefined {
  if (!record) return undefined;
  const all = [{ address, state }, ...servers];
  const live = all.filter(({ state }) => state === "live");
  const chosen = all.find(({ address }) => address === wanted) ??
    anyOf(live.length > 0 ? live : all);
  const others = [...new Set([...live, ...all])].filter((server) => server !== chosen);
  const { id, name, key } = record;
  return { id, name, address: chosen.address, servers: others.map(({ address }) => address), key };
}

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
  const known = groups.find((group) => group.name === wanted || isAt(group, wanted));
  const listing = await registries.resolve(wanted, known?.id).catch((error) => {
    if (error instanceof Unreachable && (known || isAddress(wanted))) return undefined;
    throw error;
  });
  const found = listing && targetOf(listing, isAddress(wanted) ? wanted : known?.address);
  if (found) {
    checkPin(found, groups);
    return found;
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
