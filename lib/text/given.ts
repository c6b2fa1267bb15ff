/** Checks of what a program hands to the library where no types were checked. */

import { UsageError } from "../errors.ts";

const KINDS = {
  text: ["a text", (value: unknown) => typeof value === "string"],
  number: ["a number of at least 0", (value: unknown) => typeof value === "number" && value >= 0],
  flag: ["true or false", (value: unknown) => typeof value === "boolean"],
  texts: [
    "a list of texts",
    (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === "string"),
  ],
} as const;

/**
 * Values by their names, each of its kind; those that are undefined are missing, which is fine where
 * their name ends with `?`.
 *
 * @param cannot how the sentence begins: `Cannot send`
 * @throws {UsageError} one is of another kind
 */
export function checkGiven(
  cannot: string,
  given: object,
  kinds: Readonly<Record<string, keyof typeof KINDS>>,
): void {
  const values = new Map<string, unknown>(Object.entries(given));
  for (const [named, kind] of Object.entries(kinds)) {
    const name = named.replace("?", "");
    const value = values.get(name);
    if (value === undefined && name !== named) continue;
    const [expected, is] = KINDS[kind];
    if (is(value)) continue;
    const said = typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : shown(value);
    throw new UsageError(`${cannot}: ${name} is ${said}, expected ${expected}`);
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
