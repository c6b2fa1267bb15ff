/** Names that look alike on a screen, though their letters differ. Pure. */

/**
 * Small letters of other alphabets by the Latin one that they, or their capitals, are drawn like.
 * Latin, Greek, Cyrillic and Armenian are covered, digits, and `rn` for `m`; other scripts are not, nor
 * is what depends on the font.
 */
const DRAWN_LIKE: Readonly<Record<string, string>> = {
  a: "аαɑ",
  b: "вβ",
  c: "сϲ",
  d: "ԁ",
  e: "еεҽ",
  g: "ɡց",
  h: "һнη",
  j: "јϳ",
  k: "кκ",
  // Also `i`: its capital is drawn like this one.
  l: "1i|!ıіιӏɩ",
  m: "мμ",
  n: "ոռ",
  o: "0оοσօ",
  p: "рρ",
  q: "ԛզ",
  r: "г",
  s: "ѕ",
  t: "тτ",
  u: "υս",
  v: "νѵ",
  w: "ԝω",
  x: "хχ",
  y: "уγү",
  z: "ζ",
};

const LATIN: ReadonlyMap<string, string> = new Map(
  Object.entries(DRAWN_LIKE).flatMap(([latin, others]) =>
    [...others].map((other) => [other, latin] as const)
  ),
);

/**
 * The same text for names that look alike: without case, accents and what is drawn as nothing, each
 * letter as the Latin one that it is drawn like. For comparing alone, not to be shown.
 */
export function skeleton(name: string): string {
  const bare = name.normalize("NFKD")
    .replace(/[\u0300-\u036f\p{Default_Ignorable_Code_Point}]/gu, "")
    .toLowerCase();
  return Array.from(bare, (letter) => LATIN.get(letter) ?? letter).join("")
    .replaceAll("rn", "m")
    .replaceAll("vv", "w")
    .replace(/\s+/g, " ");
}

/** Alphabets whose letters are drawn alike. */
const ALPHABETS = [
  /\p{Script=Latin}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Armenian}/u,
];

/** Whether one word of a name has letters of several alphabets that are drawn alike. */
export function mixesAlphabets(name: string): boolean {
  return name.split(/[^\p{L}\p{M}]+/u).some((word) =>
    ALPHABETS.filter((alphabet) => alphabet.test(word)).length > 1
  );
}
