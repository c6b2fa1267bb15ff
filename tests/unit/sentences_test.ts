/** Sentences for people: those of the sources are read for what nobody should have to read. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CODES } from "../../lib/errors.ts";
import { counted, inSeconds } from "../../lib/text/counted.ts";
import { SOURCES } from "../runtimes.ts";

/** Text literals of a source, with `${…}` where something is put in; those of comments are none. */
function* literals(file: string): Generator<string> {
  const code = readFileSync(join(SOURCES, file), "utf8")
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/(?<![:"'`\\])\/\/ .*$/gm, "");
  for (const [, , text] of code.matchAll(/(["'`])((?:\\.|(?!\1)[^\\\n])*)\1/g)) yield text;
}

const FILES = ["lib/", "bin/"].flatMap((folder) =>
  readdirSync(join(SOURCES, folder), { recursive: true, encoding: "utf8" })
    .map((name) => folder + name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts"))
);

/** What reads like a sentence or a part of one, and not like code. */
const SENTENCES = FILES.flatMap((file) =>
  [...literals(file)]
    .filter((text) => /[a-z]{2,}[,;:]? [a-z$]/.test(text) && !/^\s*(SELECT|WITH|[)&=|])/.test(text))
    .map((text) => ({ file, text }))
);

/** What may stand in no sentence, and what to write in its place. */
const RULES: readonly (readonly [what: RegExp, instead: string])[] = [
  [/\$\{(?!Math)[^}]* \/ [\d_]+\}/, "a quotient is rounded: inSeconds of text/counted.ts"],
  [/\$\{[a-z]\w*\} ms\b/, "people count seconds: inSeconds of text/counted.ts"],
  [
    /(?<!of )\$\{(?!counted)[\w.]*(count|size|total|lines)\} [a-z]+s\b/,
    "one is no plural: counted of text/counted.ts",
  ],
  [/\.\.(?!\.)(?<!\.\.\.)/, "one full stop"],
  [/^Cannot .*[a-z]\.$/, "an error's sentence ends without a full stop: more may follow it"],
  [/\b(the the|a a|an an|is is|to to|of of)\b/, "one of them"],
  [/^Cannot (topic|act|unban|unmute)\b/, "a verb that people use"],
  [new RegExp(`\\b(${CODES.filter((code) => code.includes("_")).join("|")})\\b`), "its meaning"],
  [/\b(please|sorry|oops|invalid)\b/i, "what is wrong, and the way out"],
];

for (const [what, instead] of RULES) {
  test(`sentences: none has ${what.source.slice(0, 60)}; write ${instead}`, () => {
    const found = SENTENCES.filter(({ text }) => what.test(text));
    assert.deepEqual(found.map(({ file, text }) => `${file}: ${text}`), []);
  });
}

test("sentences: one is no plural, and a time has at most one decimal", () => {
  assert.deepEqual([0, 1, 2_000].map((n) => counted(n, "line")), [
    "0 lines",
    "1 line",
    "2,000 lines",
  ]);
  const times = [0, 40, 828.722_707, 1_000, 4_500, 12_345.6, 3_600_000].map(inSeconds);
  assert.deepEqual(times, ["0.1 s", "0.1 s", "0.8 s", "1 s", "4.5 s", "12 s", "3,600 s"]);
});
