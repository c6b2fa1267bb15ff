import assert from "node:assert/strict";
import test from "node:test";
import { safeJson, safeLine, safeText } from "../../lib/text/filter.ts";

/** What a hostile peer may send, and what is left of it in a text. */
const CORPUS: readonly (readonly [what: string, sent: string, shown: string])[] = [
  ["colour", "a\x1b[31mred", "a\\x1b[31mred"],
  ["window title", "\x1b]0;owned\x07", "\\x1b]0;owned\\x07"],
  ["clipboard", "\x1b]52;c;ZXZpbA==\x1b\\", "\\x1b]52;c;ZXZpbA==\\x1b\\"],
  ["clear screen in C1", "\x9b2J", "\\x9b2J"],
  ["operating system command in C1", "\x9d0;x\x9c", "\\x9d0;x\\x9c"],
  ["backspaces", "abc\b\b\bxyz", "abc\\x08\\x08\\x08xyz"],
  ["carriage return alone", "safe\rFAKE", "safe\\x0dFAKE"],
  ["next line in C1", "a\x85b", "a\\x85b"],
  ["delete", "a\x7fb", "a\\x7fb"],
  ["null", "a\0b", "a\\x00b"],
  ["form feed and vertical tab", "a\f\vb", "a\\x0c\\x0bb"],
  ["line separator", "a\u2028b\u2029c", "a\\u{2028}b\\u{2029}c"],
  ["right-to-left override", "exe.\u202egnp", "exe.\\u{202e}gnp"],
  ["isolates", "\u2066a\u2069", "\\u{2066}a\\u{2069}"],
  ["marks of direction", "a\u200e\u200f\u061c", "a\\u{200e}\\u{200f}\\u{61c}"],
  ["zero-width space", "a\u200bb", "a\\u{200b}b"],
  ["word joiner and byte order mark", "a\u2060\ufeff", "a\\u{2060}\\u{feff}"],
  ["soft hyphen", "a\u00adb", "a\\xadb"],
  ["Hangul fillers", "\u3164\uffa0", "\\u{3164}\\u{ffa0}"],
  ["tags that hide a text", "a\u{e0041}\u{e0042}", "a\\u{e0041}\\u{e0042}"],
  ["lone surrogates", "a\ud800b\udc00", "a\\u{d800}b\\u{dc00}"],
  ["noncharacter", "a\uffff", "a\\u{ffff}"],
  ["joiner between letters", "a\u200db", "a\\u{200d}b"],
  ["marks without end", "a" + "\u0301".repeat(30), "a" + "\u0301".repeat(8) + "\\u{...}"],
];

/** What people write, and must arrive as it is. */
const KEPT = [
  "plain text, with: [brackets] and * stars",
  "two\nlines\tand a tab",
  "Zażółć gęślą jaźń — 漢字 ひらがな 한국어 العربية עברית",
  "cafe\u0301",
  "👨‍👩‍👧‍👦 🏳️‍🌈 👩🏽‍💻 ❤️ 1️⃣",
  "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
  "می‌خواهم",
  "क्‍ष",
];

test("the filter makes visible what a terminal would obey or hide", () => {
  for (const [what, sent, shown] of CORPUS) assert.equal(safeText(sent), shown, what);
});

test("the filter leaves in a text what people write", () => {
  for (const text of KEPT) assert.equal(safeText(text), text);
});

test("the filter turns CR LF of a text into LF", () => {
  assert.equal(safeText("a\r\nb"), "a\nb");
});

test("the filter leaves nothing of the corpus in a line, and no line break", () => {
  for (const [what, sent] of CORPUS) {
    assert.doesNotMatch(safeLine(sent), /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]/u, what);
  }
  assert.equal(
    safeLine("alice\n[2026-11-20 23:57:15] bob: hi"),
    "alice\\x0a[2026-11-20 23:57:15] bob: hi",
  );
  assert.equal(safeLine("tab\there"), "tab\\x09here");
});

test("the filter leaves the data of JSON as it is and its line harmless", () => {
  for (const [what, sent] of CORPUS) {
    const line = safeJson({ text: sent });
    assert.deepEqual(JSON.parse(line), { text: sent }, what);
    assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]/u, what);
  }
});

test("every control character is made visible", () => {
  for (let code = 0; code < 0xa0; code++) {
    const character = String.fromCharCode(code);
    const kept = (code >= 0x20 && code < 0x7f) || character === "\n" || character === "\t";
    assert.equal(safeText(character) === character, kept, `0x${code.toString(16)}`);
  }
});
