/** Where a group is that a user names: joined before, listed, or at an address. */

import { Refusal, Unreachable, UsageError } from "../errors.ts";
import type { Listing } from "../protocol/schema.ts";
import { isAddress, isOwnOnly, parseAddress } from "../text/addresses.ts";
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

/** What is said of an address that {@linkcode isOutOfReach}. */
export const ITS_OWN = "that address is its machine's own; ask who runs it to start it with an " +
  "address that others reach";

/** True for an address that each machine has for itself, where those who list it are on others. */
export function isOutOfReach(address: string, { all }: Pick<Registries, "all">): boolean {
  const isOwn = (address: string) => isOwnOnly(parseAddress(address)?.host ?? "127.0.0.1");
  return isOwn(address) && all.length > 0 && !all.some(({ address }) => isOwn(address));
}

/** Whether a group is out of reach where it is found, and may come back to where it was reached. */
export function isWorse(
  found: GroupTarget,
  known: GroupTarget,
  registries: Pick<Registries, "all">,
): boolean {
  return isOutOfReach(found.address, registries) && !isOutOfReach(known.address, registries);
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
    return known?.id === found.id && isWorse(found, known, registries) ? known : found;
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
