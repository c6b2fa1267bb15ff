/** Becoming a member of a group, and letting others become one. */

import { Refusal, Unreachable, UsageError } from "../errors.ts";
import { randomToken } from "../identity/keys.ts";
import { fieldsProblem } from "../protocol/codec.ts";
import { encodeInvite, type Invite, looksLikeInvite, parseInvite } from "../protocol/invite.ts";
import { GROUP_OPS } from "../protocol/schema.ts";
import type { StoredGroup } from "../store/user_store.ts";
import { isIpc, isOwnOnly, parseAddress, splitRegistry } from "../text/addresses.ts";
import type { Parts } from "./connections.ts";
import { findGroup } from "./finding.ts";
import { checkPin } from "./identity.ts";
import type { Link } from "./link.ts";
import type { Registries } from "./registries.ts";
import type { InviteTerms } from "./types.ts";

/**
 * Joins the group of a name, an `IP:PORT` or an invite.
 *
 * @throws {Refusal}; {Unreachable}; {IdentityChanged}; {UsageError}
 */
export async function joinGroup(
  target: string,
  { groups, connections, registries, pins }: Parts,
): Promise<StoredGroup> {
  const invite = looksLikeInvite(target) ? readInvite(target) : undefined;
  // Where an invite says that its group is, nobody else is asked.
  const found = invite?.record ?? await findGroup(target, groups.all, registries);
  if (invite) checkPin(found, groups.all);
  const known = groups.get(found.id);
  if (known) groups.learn(found);
  // An earlier one may wait at an address where the group is no more.
  if (!known?.joined) await connections.drop(found.id);
  // A stranger's name is kept when it has proved to be its.
  const link = known ? connections.open(known.id).link : connections.link(found);
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
  { all }: Registries,
): Unreachable | undefined {
  const isOwn = (address: string) => isOwnOnly(parseAddress(address)?.host ?? "127.0.0.1");
  if (!isOwn(address) || all.length === 0 || all.some(({ address }) => isOwn(address))) {
    return undefined;
  }
  return new Unreachable(
    address,
    `Cannot reach the group "${name}": it is at ${address}, which is its machine's own; ask who ` +
      "runs it to start it with an address that others reach",
  );
}

/** @throws {UsageError} it is not whole; {Refusal} `bad_invite` it has expired */
function readInvite(text: string): Invite {
  const invite = parseInvite(text);
  if (!invite) {
    throw new UsageError(
      "Cannot read the invite: it is not whole, or of another version; copy all of it, in quotes, " +
        "or ask for a new one",
    );
  }
  if (invite.until <= Date.now()) {
    throw new Refusal("bad_invite", "Cannot use the invite: it has expired, ask for a new one");
  }
  return invite;
}

/** With a token of our own, so that asking again does not make another. @throws {UsageError} */
function inviteFields({ uses, for: time, role }: InviteTerms): object {
  const fields = { uses, for: time, role, token: randomToken() };
  const problem = fieldsProblem(GROUP_OPS.invite, fields);
  if (problem) throw new UsageError(`Cannot invite: ${problem}`);
  return fields;
}

/**
 * An invite as people pass it on; what cannot be one is refused before the group makes it.
 *
 * @throws {UsageError} terms that cannot be; {Refusal}; {Unreachable}
 */
export async function makeInvite(
  link: Link,
  terms: InviteTerms,
  registries: Registries,
): Promise<string> {
  const { name, address: at } = link.target;
  if (isIpc(at)) {
    const message = `Cannot invite to "${name}": it is reached on its own machine only`;
    throw new Refusal("bad_request", message);
  }
  const fields = inviteFields(terms);
  const { token, expires: until, record } = await link.ask("invite", fields);
  const { address, key } = registries.all.find(({ key }) => key !== undefined) ?? {};
  const registry = address && key ? `${address}#${key}` : "";
  return encodeInvite({ record, token, until, registry });
}
