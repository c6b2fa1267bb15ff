/** Who is in one group, so that those whose names are alike are told apart. Pure. */

import { shortId } from "../identity/ids.ts";
import { mixesAlphabets, skeleton } from "../text/alike.ts";
import { safeLine } from "../text/filter.ts";
import type { GroupEntry } from "../protocol/batch.ts";

/** A user, as a list of members or an entry names it. */
interface Person {
  readonly user: string;
  readonly name: string;
}

/** A name, quoted where it could be read as part of the line. */
export function quotedName(typed: string): string {
  const name = safeLine(typed);
  const misleads = /[:"[\]]|^\*|\s{2}|#([0-9a-f]{8}|~)|^$/i.test(name);
  return misleads ? `"${name.replaceAll('"', "'")}"` : name;
}

/** A name that says which user is meant: `alice#1a2b3c4d`. */
export function fullLabel({ user, name }: Person): string {
  return quotedName(name) + safeLine(shortId(user)) + (mixesAlphabets(name) ? MIXED : "");
}

/** What stands behind a name with letters of several alphabets, which are drawn alike. */
const MIXED = " [mixed alphabets]";

/** The members of a group by how their names look; empty until it is told them. */
export class People {
  readonly #names = new Map<string, string>();
  /** User ids by what their names look like. */
  readonly #alike = new Map<string, Set<string>>();

  /** @param members all of them */
  constructor(members: readonly Person[] = []) {
    for (const member of members) this.#enter(member);
  }

  get all(): Iterable<Person> {
    return [...this.#names].map(([user, name]) => ({ user, name }));
  }

  get names(): Iterable<string> {
    return this.#names.values();
  }

  /** Folds an entry that is younger than the list. */
  apply({ kind, author, name, body }: GroupEntry): void {
    if (kind === "join" || kind === "rename") this.#enter({ user: author, name });
    if (kind === "leave") this.#leave(author);
    if (kind === "remove" || kind === "ban") this.#leave(String(body?.user));
  }

  /** The name, with its short id where a member has one that looks like it. */
  label(person: Person): string {
    if (this.alike(person).length > 0) return fullLabel(person);
    return quotedName(person.name) + (mixesAlphabets(person.name) ? MIXED : "");
  }

  /** Members, other than this one, whose names look like its name. */
  alike({ user, name }: Person): Person[] {
    return [...this.#alike.get(skeleton(name)) ?? []]
      .filter((other) => other !== user)
      .map((other) => ({ user: other, name: this.#names.get(other)! }));
  }

  #enter({ user, name }: Person): void {
    this.#leave(user);
    this.#names.set(user, name);
    const shape = skeleton(name);
    const same = this.#alike.get(shape) ?? new Set();
    this.#alike.set(shape, same.add(user));
  }

  #leave(user: string): void {
    const name = this.#names.get(user);
    if (name === undefined) return;
    this.#names.delete(user);
    const shape = skeleton(name);
    const same = this.#alike.get(shape)!;
    if (same.size > 1) same.delete(user);
    else this.#alike.delete(shape);
  }
}
