/** What a terminal sends, as keys, in whatever pieces it comes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Key, KeyDecoder } from "../../lib/cli/console/keys.ts";

/** Keys in short: text as it is, names in brackets. */
function short(keys: readonly Key[]): string {
  return keys.map((key) => "text" in key ? key.text : `[${key.name}]`).join("");
}

const SENT: readonly (readonly [sent: string, keys: string])[] = [
  ["hello 漢字 👍", "hello 漢字 👍"],
  ["a\rb\nc\r\nd", "a[enter]b[enter]c[enter]d"],
  ["\t\x7f\b\x03\x1a\0\x1f", "[tab][backspace][backspace][ctrl-c][ctrl-z][ctrl-space][ctrl-_]"],
  ["\x1b[A\x1bOB\x1b[1~\x1b[4~\x1b[H\x1bOF", "[up][down][home][end][home][end]"],
  ["\x1b[5~\x1b[6~\x1b[3~\x1b[Z", "[page-up][page-down][delete][shift-tab]"],
  ["\x1b[1;5C\x1b[1;3D\x1b[3;5~", "[ctrl-right][alt-left][ctrl-delete]"],
  ["\x1b1\x1b9\x1bb\x1b\x7f", "[alt-1][alt-9][alt-b][alt-backspace]"],
  ["\x1b\x1b[A", "[escape][up]"],
  // Of no key: a focus event, a mouse, a colour that a program asked for, the ends of pastes.
  ["a\x1b[I\x1b[<0;1;1M\x1b[200~b\x1b[201~\x1b[0;1;2ncd", "abcd"],
];

test("keys are understood, and what no key sends is left out", () => {
  for (const [sent, keys] of SENT) assert.equal(short(new KeyDecoder().read(sent)), keys);
});

test("keys are the same however they are cut", () => {
  const all = SENT.map(([sent]) => sent).join("");
  const whole = short(new KeyDecoder().read(all));
  fc.assert(fc.property(fc.array(fc.nat(all.length)), (cuts) => {
    const places = [0, ...cuts.toSorted((a, b) => a - b), all.length];
    const decoder = new KeyDecoder();
    const keys = places.flatMap((at, i) => decoder.read(all.slice(at, places[i + 1] ?? at)));
    assert.equal(short(keys), whole);
    assert.equal(decoder.open, false);
  }));
});

test("an Escape is one when nothing comes behind it", () => {
  const decoder = new KeyDecoder();
  assert.deepEqual(decoder.read("\x1b"), []);
  assert.equal(decoder.open, true);
  assert.deepEqual(decoder.flush(), [{ name: "escape" }]);
  assert.equal(decoder.open, false);
  assert.deepEqual(decoder.flush(), []);
  assert.equal(short([...decoder.read("\x1b["), ...decoder.flush()]), "[alt-[]");
});
