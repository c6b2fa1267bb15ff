/** The line being typed: what each key does to it; and looking for one of the lines typed before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Editor } from "../../lib/cli/console/editor.ts";
import { HistorySearch } from "../../lib/cli/console/search.ts";

/** The line with the cursor as `|`. */
function shown({ text, cursor }: Editor): string {
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`;
}

const DONE: readonly (readonly [line: string, keys: string, becomes: string])[] = [
  ["one two|", "left ctrl-b", "one t|wo"],
  ["|漢👨‍👩‍👧e\u0301", "right ctrl-f right", "漢👨‍👩‍👧e\u0301|"],
  ["漢👨‍👩‍👧|", "backspace", "漢|"],
  ["one| two", "home delete", "|ne two"],
  ["one two|", "ctrl-a ctrl-d end", "ne two|"],
  ["one two, three|", "alt-b ctrl-left", "one |two, three"],
  ["|one two", "alt-f ctrl-right", "one two|"],
  ["one two.three|", "ctrl-w ctrl-y ctrl-y", "one two.threetwo.three|"],
  ["one two.three|", "alt-backspace", "one two.|"],
  ["one| two", "ctrl-u end ctrl-y", " twoone|"],
  ["one| two", "ctrl-k home ctrl-y", " two|one"],
  ["one| two", "alt-d ctrl-_", "one| two"],
  ["ab|", "ctrl-t", "ba|"],
  ["|ab", "ctrl-t", "|ab"],
  ["a|", "ctrl-w ctrl-w backspace delete ctrl-k ctrl-_", "a|"],
];

test("each key changes the line as readline does", () => {
  for (const [line, keys, becomes] of DONE) {
    const editor = new Editor();
    editor.set(line.replace("|", ""), line.indexOf("|"));
    for (const key of keys.split(" ")) assert.ok(editor.press(key), key);
    assert.equal(shown(editor), becomes, `${line} ${keys}`);
  }
  assert.equal(new Editor().press("insert"), false);
});

test("Up and Down go through the lines that begin as what is typed, and back to it", () => {
  const editor = new Editor(["send b", "list", "send a"]);
  const after = (...keys: string[]) => {
    for (const key of keys) editor.press(key);
    return shown(editor);
  };
  assert.equal(after("up"), "send b|");
  assert.equal(after("up", "up"), "send a|");
  assert.equal(after("up"), "send a|");
  assert.equal(after("down", "down", "down"), "|");
  editor.insert("se");
  assert.equal(after("up", "up"), "send a|");
  assert.equal(after("down", "down"), "se|");
  assert.equal(editor.take(), "se");
  editor.insert("list");
  assert.equal(editor.take(), "list");
  assert.deepEqual(editor.history, ["list", "se", "send b", "send a"], "each line once");
  editor.insert("an answer");
  assert.equal(editor.take(false), "an answer");
  assert.equal(after("up"), "list|");
});

test("a completion takes the place of what all that was found begin with", () => {
  const editor = new Editor();
  editor.insert("join la");
  assert.equal(editor.complete(["Lab", "Lab Two"], "la"), true);
  assert.equal(shown(editor), "join Lab|");
  assert.equal(editor.complete(["Lab", "Lab Two"], "Lab"), false);
  assert.equal(editor.complete([], "Lab"), false);
  assert.equal(shown(editor), "join Lab|");
});

test("Ctrl-R finds the lines that hold the words, again for older ones, each once", () => {
  const search = new HistorySearch(["good night", "hello bob", "hello bob", "hello alice", "bye"]);
  search.type("he");
  assert.equal(search.found, "hello bob");
  search.type("LLO");
  assert.deepEqual([search.found, search.cursor], ["hello bob", 0]);
  search.older();
  assert.equal(search.found, "hello alice");
  search.older();
  assert.equal(search.label, '(no line with "heLLO") ');
  assert.equal(search.found, "hello alice");
  search.newer();
  assert.equal(search.found, "hello bob");
  for (let i = 0; i < 5; i++) search.backspace();
  assert.deepEqual([search.found, search.label], ["", '(search "") ']);
  search.type("night");
  assert.deepEqual([search.found, search.cursor], ["good night", 5]);
});
