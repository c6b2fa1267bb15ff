import assert from "node:assert/strict";
import { test } from "node:test";
import { isKey, isMid, isSignature, isUuid, midTime } from "../../lib/identity/ids.ts";
import { isAddress, parseAddress, splitRegistry } from "../../lib/text/addresses.ts";
import { nameProblem, normalName } from "../../lib/text/names.ts";
import { fixedKey, midAt, NOW } from "./fixtures.ts";

test("names may hold letters of any script, spaces inside, and signs", () => {
  for (
    const name of ["a", "Cool Group", "Łódź 3", "実験室", "😀", "a.b/c", "..", "don't", "x:y", "#1"]
  ) {
    assert.equal(nameProblem(name), undefined, name);
  }
});

test("names have 1 to 64 code points", () => {
  assert.match(nameProblem("")!, /empty/);
  for (const letter of ["a", "漢", "😀"]) {
    assert.equal(nameProblem(letter.repeat(64)), undefined);
    assert.match(nameProblem(letter.repeat(65))!, /longer than 64/);
  }
});

test("names hold nothing that cannot be seen or that turns the line", () => {
  const signs = ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u200b", "\u200d", "\u202e"];
  for (const sign of [...signs, "\u2066", "\u2028", "\u2029", "\ufeff", "\ue000", "\ud800"]) {
    assert.match(nameProblem(`a${sign}b`)!, /invisible or control/, JSON.stringify(sign));
  }
  const drawnAsNothing = ["\u034f", "\u115f", "\u3164", "\uffa0", "\ufe0f", "\u{e0100}"];
  for (const sign of [...drawnAsNothing, "\u0335".repeat(9)]) {
    assert.match(nameProblem(`a${sign}b`)!, /invisible or control/, JSON.stringify(sign));
  }
});

test("names have no outer spaces and are in form C", () => {
  for (const name of [" a", "a ", "\u00a0a", "a\u3000"]) {
    assert.match(nameProblem(name)!, /space/, JSON.stringify(name));
  }
  assert.match(nameProblem("e\u0301")!, /normal form C/);
});

test("names do not look like an address or an id", () => {
  for (const name of ["127.0.0.1:5555", "host:1", "[::1]:80"]) {
    assert.match(nameProblem(name)!, /address/);
  }
  assert.match(nameProblem(midAt(NOW))!, /id/);
});

test("names have one spelling, which is usable", () => {
  assert.equal(normalName("  Cafe\u0301 \n"), "Café");
  for (const typed of [" a ", "e\u0301", "実験室"]) {
    assert.equal(nameProblem(normalName(typed)), undefined);
  }
});

test("addresses are HOST:PORT with a port of 1 to 65,535", () => {
  for (
    const good of ["127.0.0.1:1", "host:65535", "a-b.c_d:80", "[::1]:5555", "[fe80::1%2]:1"]
  ) {
    assert.equal(isAddress(good), true, good);
  }
  const bad = [
    "",
    ":1",
    "host",
    "host:",
    "host:0",
    "host:65536",
    "host:99999",
    "host:-1",
    "host:1 ",
  ];
  for (const text of [...bad, "::1:80", "a b:1", "-a:1", "tcp://a:1", "a:1:2", "a:١", "*:1"]) {
    assert.equal(isAddress(text), false, text);
  }
  assert.equal(isAddress(`${"a".repeat(256)}:123`), true);
  assert.equal(isAddress(`${"a".repeat(257)}:123`), false);
});

test("addresses come apart into host and port, and 0 asks for a free one", () => {
  assert.deepEqual(parseAddress("host:0"), { host: "host", port: 0 });
  assert.deepEqual(parseAddress("[::1]:5555"), { host: "::1", port: 5555 });
  for (const none of ["[::1]", "[1.2]:5", "[]:5", "::1:5"]) {
    assert.equal(parseAddress(none), undefined);
  }
  assert.equal(parseAddress("host:65536"), undefined);
});

test("ids, keys and signatures have one shape each", () => {
  const { publicKey, sign } = fixedKey(0);
  assert.equal(isUuid("00000000-0000-0000-0000-000000000000"), true);
  assert.equal(isUuid("00000000-0000-0000-0000-00000000000G"), false);
  assert.equal(isKey(publicKey), true);
  assert.equal(isKey(`${publicKey}=`), false);
  assert.equal(isSignature(sign("")), true);
  assert.equal(isSignature(publicKey), false);
  // The last character has spare bits: a second spelling of a key would have a second user id.
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const spellings = (text: string, is: (text: string) => boolean) =>
    [...letters].map((letter) => text.slice(0, -1) + letter).filter(is).length;
  assert.equal(spellings(publicKey, isKey), 16);
  assert.equal(spellings(sign(""), isSignature), 4);
});

test("registries are named HOST:PORT, or HOST:PORT#KEY with a key of the right shape", () => {
  const key = fixedKey(0).publicKey;
  assert.deepEqual(splitRegistry("h:1"), { address: "h:1" });
  assert.deepEqual(splitRegistry(`h:1#${key}`), { address: "h:1", key });
  for (const bad of ["", "h", "h:0", "h:1#", `h:1#${key.slice(1)}`, `#${key}`, `h:1##${key}`]) {
    assert.equal(splitRegistry(bad), undefined, bad);
  }
});

test("mids tell the moment they were made", () => {
  assert.equal(isMid(midAt(NOW)), true);
  assert.equal(midTime(midAt(NOW, 7)), NOW);
  assert.equal(midTime(midAt(0)), 0);
});
