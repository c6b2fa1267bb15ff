/** The members of a group, and their order for pages. Pure. */

import { SortedList } from "../structures/sorted.ts";
import type { Member } from "./state.ts";

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
