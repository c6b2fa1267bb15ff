/** Who is meant in a text by `@name`, `@name#1a2b3c4d` or `@#1a2b3c4d`; and what Tab makes of an `@`. Pure. */

/** Somebody who can be meant. */
export interface Mentionable {
  /** User id. */
  readonly user: string;
  readonly name: string;
}

/** `#1a2b3c4d`: what tells users of one name apart. */
function suffixOf({ user }: Mentionable): string {
  return `#${user.slice(0, 8)}`;
}

/**
 * Whether a text means somebody. Case does not matter; of two names that begin alike the longer one
 * is meant, so that `@Ann Lee` is not for Ann.
 *
 * @param members asked for where the text has the person's name
 */
export function mentions(
  text: string,
  me: Mentionable,
  members: () => readonly Mentionable[] = () => [],
): boolean {
  const folded = text.toLowerCase();
  const name = me.name.toLowerCase();
  const suffix = suffixOf(me);
  const isLonger = (rest: string) =>
    members().some((member) => {
      const other = member.name.toLowerCase();
      return other.length > name.length && other.startsWith(name) && isWhole(rest, other);
    });
  for (let at = folded.indexOf("@"); at >= 0; at = folded.indexOf("@", at + 1)) {
    if (WORD_BEFORE.test(folded.slice(Math.max(0, at - 2), at))) continue; // An e-mail address.
    const rest = folded.slice(at + 1);
    if (isWhole(rest, suffix)) return true;
    if (!isWhole(rest, name)) continue;
    const told = /^#[0-9a-f]{8}/.exec(rest.slice(name.length))?.[0];
    if (told === undefined ? !isLonger(rest) : told === suffix) return true;
  }
  return false;
}

const WORD_BEFORE = /[\p{L}\p{N}_]$/u;
const WORD_AFTER = /^[\p{L}\p{N}\p{M}_]/u;

/** Whether a text begins with a name that goes no further. */
function isWhole(text: string, name: string): boolean {
  return name !== "" && text.startsWith(name) && !WORD_AFTER.test(text.slice(name.length));
}

/**
 * The names that the `@…` at the end of a line can become, and the part that they replace; undefined
 * where there is none. Names may have spaces. Where several have one name, each stands with its id.
 */
export function completeMention(
  line: string,
  members: readonly Mentionable[],
): [string[], string] | undefined {
  const count = new Map<string, number>();
  for (const { name } of members) {
    count.set(name.toLowerCase(), (count.get(name.toLowerCase()) ?? 0) + 1);
  }
  const names = members.map((member) => {
    const several = count.get(member.name.toLowerCase())! > 1;
    return `@${member.name}${several ? suffixOf(member) : ""}`;
  }).sort();
  for (let at = line.indexOf("@"); at >= 0; at = line.indexOf("@", at + 1)) {
    if (WORD_BEFORE.test(line.slice(0, at))) continue;
    const typed = line.slice(at);
    const found = names.filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()));
    if (found.length > 0) return [found.map((name) => `${name} `), typed];
  }
  return undefined;
}
