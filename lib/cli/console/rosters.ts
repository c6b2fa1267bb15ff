/** Who is in each group, as far as a prompt knows. */

import type { GroupEntry } from "../../protocol/batch.ts";
import type { MemberInfo } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import type { Mentionable } from "./mentions.ts";

/** A group's members: asked for once, and kept right by its entries. */
export class Rosters {
  readonly #user: Pick<User, "members">;
  /** By group id: names by user id. */
  readonly #members = new Map<string, Map<string, string>>();
  /** Groups whose members were asked for. */
  readonly #asked = new Set<string>();

  constructor(user: Pick<User, "members">) {
    this.#user = user;
  }

  of(group: string): Mentionable[] {
    return [...this.#members.get(group) ?? []].map(([user, name]) => ({ user, name }));
  }

  /** Asks who is there, unless that is known; where no answer comes, those who wrote are known. */
  async learn(group: string): Promise<void> {
    if (this.#asked.has(group)) return;
    this.#asked.add(group);
    try {
      this.know(group, await this.#user.members(group));
    } catch {
      this.#asked.delete(group);
    }
  }

  know(group: string, members: readonly Pick<MemberInfo, "user" | "name">[]): void {
    this.#members.set(group, new Map(members.map(({ user, name }) => [user, name])));
    this.#asked.add(group);
  }

  /** Somebody came, went, wrote, or has another name. */
  take(group: string, { kind, author, name, body }: GroupEntry): void {
    if (kind === "founded") return;
    const members = this.#members.get(group) ?? new Map<string, string>();
    this.#members.set(group, members);
    if (kind === "leave") members.delete(author);
    else members.set(author, name);
    if ((kind === "remove" || kind === "ban") && typeof body?.user === "string") {
      members.delete(body.user);
    }
  }

  forget(group: string): void {
    this.#members.delete(group);
    this.#asked.delete(group);
  }
}
