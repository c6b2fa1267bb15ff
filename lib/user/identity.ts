/** Whether a group is the one that a user knows, and what a person is told when it is not. Pure. */

import { IdentityChanged } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import type { ServerIdentity } from "../session/identity.ts";
import type { GroupTarget, StoredGroup } from "../store/user_store.ts";

/** What is compared: a name, and who has it. */
type Named = Pick<GroupTarget, "id" | "name" | "key">;

/** The first group of a name that a user meets is the one; another is a stranger. */
export function checkPin(found: Named, groups: readonly StoredGroup[]): void {
  const same = groups.filter(({ name }) => name === found.name);
  if (same.length === 0 || same.some(({ id }) => id === found.id)) return;
  throw stranger(same[0], found, true);
}

/**
 * The target as the group at its address proved to be. What was known of it must be so; what was not
 * is learned, unless its name is known as another group's and nothing but its address was known.
 *
 * @throws {IdentityChanged}
 */
export function recognize(
  target: GroupTarget,
  identity: ServerIdentity,
  groups: readonly StoredGroup[],
): GroupTarget {
  const { address } = target;
  if (!("group" in identity)) {
    throw new IdentityChanged(
      target.name,
      `Cannot trust "${target.name}" at ${address}: a registry answers there; groups are at other ` +
        "addresses",
    );
  }
  const { id, name, key } = identity.group;
  const found = { id, name, address, key };
  const isKnown = target.id !== "";
  if (!isKnown && !target.key) checkPin(found, groups);
  else if (
    (isKnown && (target.id !== id || target.name !== name)) || (target.key && target.key !== key)
  ) {
    throw stranger(target, found, groups.some((group) => group.id === target.id));
  }
  return found;
}

/** @param wanted where the other one should have been @param known the user has met it before */
function stranger(wanted: GroupTarget, found: Named, known: boolean): IdentityChanged {
  const [before, wayOut] = known
    ? ["that you know", `if you know why it changed, accept the new one: trust "${wanted.name}"`]
    : ["that was looked for", "ask for its address again where you have it from"];
  return new IdentityChanged(
    wanted.name,
    `Cannot trust "${wanted.name}" at ${wanted.address}: ITS IDENTITY HAS CHANGED. Another group is ` +
      `there, its ${shown(found, " is")}; the one ${before} has the ${
        shown(wanted)
      }. Somebody may ` +
      `pose as it; ${wayOut}`,
  );
}

/** A key as people compare it; where it is not known the id, which is made from it. */
function shown({ id, key }: Named, is = ""): string {
  return key ? `key${is} ${shortKey(key)}` : `id${is} ${id}`;
}
