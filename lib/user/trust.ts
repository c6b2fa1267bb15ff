/**
 * Accepting another identity. Who answers now is looked at first: where it is the one that is known,
 * nothing is forgotten.
 */

import { IdentityChanged, Refusal, Unreachable } from "../errors.ts";
import { SessionClient } from "../session/client.ts";
import type { ServerIdentity } from "../session/identity.ts";
import type { Transport } from "../transport/transport.ts";
import type { Parts } from "./connections.ts";
import type { RegistryLink } from "./registry_link.ts";
import type { GroupTarget, StoredGroup } from "../store/user_store.ts";
import type { Trusted } from "./types.ts";

const WITHIN = 3_000;

/** Who proves to be at an address, to an anonymous peer. @throws {Unreachable}; {BadReply} */
export async function whoIsAt(
  transport: Transport,
  address: string,
  what: string,
): Promise<ServerIdentity> {
  const client = new SessionClient({ transport, address, what, replies: {}, check() {} });
  try {
    return (await client.opened(WITHIN)).identity;
  } finally {
    await client.close();
  }
}

/** Accepts who answers as this known group, or at this registry's address. @throws {Refusal} `not_found` */
export async function trust(wanted: string, parts: Parts): Promise<Trusted> {
  const { registries, groups } = parts;
  const named = ({ name, address }: StoredGroup) => name === wanted || address === wanted;
  const known = groups.joined.find(named) ?? groups.all.find(named);
  if (known) return await trustGroup(known, parts);
  const registry = registries.all.find(({ address }) => address === wanted);
  if (registry) return await trustRegistry(registry, parts);
  throw new Refusal(
    "not_found",
    `Cannot trust "${wanted}": no group or registry that was met here is called so`,
  );
}

/**
 * Forgets a known group where another one is in its place, and knows that one from then on.
 *
 * @throws {Unreachable} nobody answers, or the group alone does not
 */
async function trustGroup(known: StoredGroup, parts: Parts): Promise<Trusted> {
  const { groups, connections } = parts;
  const now = await lookAtGroup(known, parts);
  const changed = now.id !== known.id;
  const unsent = changed ? connections.waiting(known.id) : 0;
  if (changed) {
    await connections.drop(known.id);
    groups.forget(known.id);
  }
  const others = groups.all.filter(({ id }) => id !== now.id);
  if (others.every(({ name }) => name !== now.name)) groups.learn(now);
  const [what, before] = [`the group "${known.name}"`, known.key || undefined];
  const member = groups.get(now.id)?.joined ?? false;
  return { what, before, now: now.key, changed, member, ...(unsent > 0 && { unsent }) };
}

/** The group itself where it answers at all, else who has its name or its address. */
async function lookAtGroup(known: StoredGroup, parts: Parts): Promise<GroupTarget> {
  const what = `the group "${known.name}"`;
  const listing = await parts.registries.resolve(known.name, known.id).catch(() => undefined);
  const listed = listing?.record;
  const addresses = new Set([listed?.address ?? known.address, known.address]);
  const found: GroupTarget[] = [];
  await Promise.all([...addresses].map(async (address) => {
    const identity = await whoIsAt(parts.transport, address, what).catch(() => undefined);
    if (identity && "group" in identity) found.push({ ...identity.group, address });
  }));
  const same = found.find(({ id }) => id === known.id);
  if (same) return same;
  // A record that it signed of late shows that it is somewhere, whoever answers at its address.
  const isListed = listed?.id === known.id;
  const other = isListed ? undefined : found.find(({ id }) => id === listed?.id) ?? found[0];
  if (other) return other;
  const { address } = isListed ? listed : known;
  const why = isListed ? "it is listed there and does not answer" : "nobody answers";
  const message = `Cannot look at ${what} at ${address}: ${why}; nothing was changed`;
  throw new Unreachable(address, message);
}

/**
 * Pins the key that a registry has now.
 *
 * @throws {Unreachable} it does not answer; {IdentityChanged} a group is there; {Refusal} its key was
 * given with its address
 */
async function trustRegistry(registry: RegistryLink, parts: Parts): Promise<Trusted> {
  const { address, key: before } = registry;
  const what = `the registry at ${address}`;
  if (registry.given) {
    const message = `Cannot trust another key of ${what}: its key was given with its address`;
    throw new Refusal("forbidden", message);
  }
  const identity = await whoIsAt(parts.transport, address, what);
  if (!("registry" in identity)) {
    throw new IdentityChanged(address, `Cannot trust ${what}: a group answers there`);
  }
  const { key: now } = identity.registry;
  if (before !== now) parts.pins.set(address, now);
  return { what, before, now, changed: before !== now };
}
