/** What the property tests share: how often a property is tried, and what may be thrown. */

import * as fc from "fast-check";

/** Tries a property on 200 values; fast-check prints seed and smallest case of one that fails. */
export function holds<T>(values: fc.Arbitrary<T>, property: (value: T) => void): void {
  fc.assert(fc.property(values, property), { numRuns: 200 });
}

/** What a function gives, or `undefined` where it throws what it may. @throws all else */
export function unlessRefused<T>(
  refusal: abstract new (...args: never[]) => Error,
  give: () => T,
): T | undefined {
  try {
    return give();
  } catch (error) {
    if (error instanceof refusal) return undefined;
    throw error;
  }
}

/** Any string, lone surrogates included, with much that parsers and terminals look at. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.array(
    fc.constantFrom(
      ...["\ud83d", "\ude00", "\r\n"],
      ..."\0\t\n\r\x1b\x7f\x85\xad\u0600\u061c\u200c\u200d\u202e\u2066\u2028\ufeff\ufe0f\u0301",
      ...'aé語ا ᠎👨🏽🏴\u{e0067}\u{e007f}{}[]"\\:,%#-./0123456789',
    ),
  ).map((parts) => parts.join("")),
);

/** Text without lone surrogates. */
export const wellFormed: fc.Arbitrary<string> = anyText.map((text) => text.toWellFormed());

/** Bytes in the chunks into which the given places cut them. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}
