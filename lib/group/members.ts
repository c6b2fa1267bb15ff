/** The members of a group, what each may do, and their order for pages. Pure. */

import { SortedList } from "../structures/sorted.ts";

/** What a member may do; each may do what the one after it may. Stored: do not rename. */
export type Role = "founder" | "admin" | "member" | "reader";

const RANK: Readonly<Record<Role, number>> = { reader: 0, member: 1, admin: 2, founder: 3 };

/** How far the first role is above the second: 0 for the same, below it negative. */
export function compareRoles(role: Role, other: Role): number {
  return RANK[role] - RANK[other];
}

/** True if the first role is at least the second. */
export function atLeast(role: Role, needed: Role): boolean {
  return compareRoles(role, needed) >= 0;
}

/** A member as the log leaves it. */
export interface Member {
  readonly user: string;
  readonly name: string;
  readonly role: Role;
  /** Absent for a claimed id of a dialect. */
  readonly key?: string;
  /** `seq` of the entry by which it joined. */
  readonly since: number;
}

/** A member as its row says it; rows of older versions say more. */
export function toMember(json: string): Member {
  const { user, name, role, key, since } = JSON.parse(json) as Member;
  return { user, name, role, ...(key ? { key } : {}), since };
}

/** Members by user id; pages of them in the order of the ids. */
export class Members extends Map<string, Member> {
  readonly #order = new SortedList();

  constructor(members: Iterable<Member> = []) {
    super();
    for (const member of members) this.set(member.user, member);
  }

  override set(user: string, member: Member): this {
    if (!this.has(user)) this.#order.add(user);
    return super.set(user, member);
  }

  override delete(user: string): boolean {
    if (!super.delete(user)) return false;
    this.#order.delete(user);
    return true;
  }

  /** At most `most` members whose ids are greater, ascending. */
  page(after: string, most: number): Member[] {
    return this.#order.page(after, most).map((user) => this.get(user)!);
  }
}
