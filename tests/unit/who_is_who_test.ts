/** Whom and which group a typed name means, and which names look alike. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { groupNamed, joinedGroup } from "../../lib/cli/commands/targets.ts";
import { mixesAlphabets, skeleton } from "../../lib/text/alike.ts";
import { either, meant } from "../../lib/text/meant.ts";
import type { JoinedGroup, MemberInfo } from "../../lib/user/types.ts";
import { findUser } from "../../lib/user/members.ts";

test("names that look alike have one skeleton, others have their own", () => {
  const alike = [
    ["alice", "Alice", "ALICE", "a1ice", "aIice", "\u0430lice", "\u0251l\u0456\u0441\u0435"],
    ["alice", "al\u200bice", "\uff41lice", "\u{1d41a}lice", "ali\u0301ce", "alic\u0435\u0308"],
    ["bob", "b0b", "b\u03bfb", "B\u041eB", "b\u0585b"],
    ["modern", "modem"],
    ["vvill", "will"],
    ["Al Bundy", "Al  Bundy", "Al\u00a0Bundy"],
  ];
  for (const names of alike) {
    for (const name of names) assert.equal(skeleton(name), skeleton(names[0]), name);
  }
  const different = [
    "alice",
    "alicia",
    "bob",
    "rob",
    "\u5c71\u7530",
    "\u0e01\u0e34",
    "\u0e01\u0e35",
  ];
  assert.equal(new Set(different.map(skeleton)).size, different.length);
});

test("a word of two alphabets that are drawn alike is noticed, honest mixtures are not", () => {
  for (const name of ["\u0430lice", "b\u03bfb", "Iv\u0430n", "p\u0585l"]) {
    assert.ok(mixesAlphabets(name), name);
  }
  for (
    const name of [
      "alice",
      "\u0418\u0432\u0430\u043d",
      "\u0418\u0432\u0430\u043d Ivanov",
      "\u5c71\u7530Taro",
      "\u03b1 team",
      "x2",
    ]
  ) {
    assert.ok(!mixesAlphabets(name), name);
  }
});

test("a name is found as it is, in any case, by how it begins, and else what is near", () => {
  const names = ["Lab", "lab", "Lobby", "Ops Team", "Ops Room"];
  const found = (typed: string) => meant(typed, names, (name) => name);
  assert.deepEqual(found("lab"), { kind: "one", one: "lab", exact: true });
  assert.deepEqual(found("LAB"), { kind: "several", all: ["Lab", "lab"] });
  assert.deepEqual(found("ops team"), { kind: "one", one: "Ops Team", exact: true });
  assert.deepEqual(found("lob"), { kind: "one", one: "Lobby", exact: false });
  assert.deepEqual(found("ops"), { kind: "several", all: ["Ops Team", "Ops Room"] });
  assert.deepEqual(found("lobyb"), { kind: "none", near: "Lobby" });
  assert.deepEqual(found("Kitchen"), { kind: "none" });
  assert.equal(either(["a"]), "a");
  assert.equal(either(["a", "b", "c"]), "a, b or c");
  assert.equal(either(["a", "b", "c"], 2), "a, b and 1 more");
});

const group = (name: string, id: string) =>
  ({ id, name, address: `127.0.0.1:${id}` }) as JoinedGroup;
const joined = [group("Lobby", "1"), group("Ops Team", "2"), group("Ops Room", "3")];

test("a joined group is taken by a part of its name where that harms nobody", () => {
  const loosely = (typed: string) => joinedGroup(typed, { joined, loosely: true }).name;
  for (const typed of ["Lobby", "lobby", "lob", "127.0.0.1:1", "1"]) {
    assert.equal(loosely(typed), "Lobby");
  }
  assert.equal(joinedGroup("ops team", { joined }).name, "Ops Team");
  const asks = (typed: string, message: string) => {
    assert.throws(() => joinedGroup(typed, { joined }), { code: "not_member", message });
    assert.throws(() => groupNamed(typed, { joined }), { code: "not_member", message });
  };
  asks("lob", 'You are not a member of "lob": did you mean Lobby?');
  asks("loby", 'You are not a member of "loby": did you mean Lobby?');
  asks("ops", 'You are not a member of "ops": did you mean "Ops Team" or "Ops Room"?');
  assert.throws(() => loosely("ops"), /did you mean "Ops Team" or "Ops Room"\?$/);
  assert.throws(() => joinedGroup("Kitchen", { joined }), {
    message: 'You are not a member of "Kitchen"',
  });
  assert.deepEqual(groupNamed("Kitchen", { joined }), { id: "Kitchen", name: "Kitchen" });
});

const ids = ["1a2b3c4d", "2a2b3c4d", "3a2b3c4d"].map((id) => `${id}-0000-8000-8000-000000000000`);
const person = (user: string, name: string): MemberInfo => ({
  user,
  name,
  role: "member",
  present: true,
});

test("a member is named by name, by part of it, by short id, or by both", () => {
  const members = [person(ids[0], "alice"), person(ids[1], "Bob"), person("~claimed", "claimed")];
  const banned = [{ user: ids[2], name: "alan" }];
  const known = { members, banned, group: "Lab" };
  const find = (who: string, wholly = false) => findUser(who, { ...known, wholly });
  for (const who of ["alice", "ALICE", "alic", "#1a2b3c4d", "alice#1a2b3c4d", "Alice#1A2B3C4D"]) {
    assert.equal(find(who), ids[0], who);
  }
  for (const who of ["alice", "ALICE", "#1a2b3c4d", "alice#1a2b3c4d"]) {
    assert.equal(find(who, true), ids[0], who);
  }
  assert.equal(find("bob"), ids[1]);
  assert.equal(find("alan"), ids[2]);
  for (const who of ["~claimed", "#~claimed", "claimed#~claimed"]) {
    assert.equal(find(who), "~claimed", who);
  }
  const asks = (who: string, message: string, wholly = false) =>
    assert.throws(() => find(who, wholly), {
      code: "not_found",
      message: `Cannot find "${who}": ${message}`,
    });
  asks("al", "could be alice#1a2b3c4d or alan#3a2b3c4d; say which");
  asks("alic", "no member of Lab has this name; did you mean alice?", true);
  asks("alcie", "no member of Lab has this name; did you mean alice?");
  asks("zoe", "no member of Lab has this name; members shows who is there");
  asks("bob#1a2b3c4d", "no member of Lab has this name; members shows who is there");
});

test("members whose names are the same, or look so, are named by their short ids", () => {
  const members = [person(ids[0], "alice"), person(ids[1], "alice"), person(ids[2], "\u0430lice")];
  const find = (who: string) => findUser(who, { members, banned: [], group: "Lab", wholly: true });
  assert.throws(() => find("alice"), {
    message: 'Cannot find "alice": could be alice#1a2b3c4d or alice#2a2b3c4d; say which',
  });
  const alone = { members: members.slice(1), banned: [], group: "Lab", wholly: false };
  for (const who of ["alice", "ali"]) {
    assert.throws(() => findUser(who, alone), {
      message: `Cannot find "${who}": could be alice#2a2b3c4d or \u0430lice#3a2b3c4d; say which`,
    });
  }
  assert.equal(find("alice#2a2b3c4d"), ids[1]);
  assert.equal(find("alice#3a2b3c4d"), ids[2], "its letters are not on everybody's keyboard");
});
