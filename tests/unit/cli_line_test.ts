import assert from "node:assert/strict";
import test from "node:test";
import { PROMPT_COMMANDS as COMMANDS } from "../../lib/cli/commands/table.ts";
import { takeNameAndAddress, takeTarget, wholeTarget } from "../../lib/cli/commands/targets.ts";
import { completions, readLine } from "../../lib/cli/console/line.ts";
import { linesOf, wholeText } from "../../lib/cli/streams.ts";

const isGroup = (name: string) => ["Lobby", "Cool Group"].includes(name);
const inGroup = (typed: string) => readLine(typed, COMMANDS, { current: true, isGroup });
const nowhere = (typed: string) => readLine(typed, COMMANDS, { current: false, isGroup });

function runs(line: ReturnType<typeof inGroup>, name: string, rest = ""): void {
  assert.equal(line.kind, "command");
  if (line.kind !== "command") return;
  assert.equal(line.command.names[0], name);
  assert.equal(line.rest, rest);
}

test("a command is understood with - and _, with / and in any case", () => {
  for (
    const typed of ["join_group Lobby", "join-group Lobby", "/join_group Lobby", "JOIN_GROUP Lobby"]
  ) {
    runs(inGroup(typed), "join_group", "Lobby");
  }
  runs(inGroup("get_group_list"), "list_groups");
});

test("short names work after / and where there is no current group", () => {
  runs(inGroup("/join Lobby"), "join_group", "Lobby");
  runs(nowhere("join Lobby"), "join_group", "Lobby");
  runs(inGroup("join Lobby"), "join_group", "Lobby");
  assert.equal(inGroup("join us tomorrow").kind, "text");
});

test("ordinary words with more behind them are text", () => {
  assert.equal(inGroup("help me please").kind, "text");
  assert.equal(inGroup("members of the club meet at six").kind, "text");
  runs(inGroup("members Cool Group"), "members", "Cool Group");
  runs(inGroup("switch Lobyb"), "switch", "Lobyb");
  runs(inGroup("help"), "help");
});

test("a line that begins with a space is text", () => {
  assert.deepEqual(inGroup(" join_group Lobby"), { kind: "text", text: "join_group Lobby" });
});

test("typos of commands are not sent to the group", () => {
  assert.deepEqual(inGroup("jion_group Lobby"), {
    kind: "unknown",
    word: "jion_group",
    near: "join_group",
  });
  assert.deepEqual(inGroup("/hlep"), { kind: "unknown", word: "/hlep", near: "help" });
  assert.equal(inGroup("snake_case is a word").kind, "text");
  assert.equal(nowhere("hello").kind, "unknown");
  assert.equal(nowhere("  ").kind, "empty");
});

test("a group is taken in quotes, by its longest known name, by number, or as one word", () => {
  const known = {
    names: ["Cool", "Cool Group", "127.0.0.1:5560"],
    numbered: ["Lab", "Cool Group"],
  };
  assert.deepEqual(takeTarget('"Cool Group" 2h', known), { target: "Cool Group", rest: "2h" });
  assert.deepEqual(takeTarget("'It''s'", known), { target: "It", rest: "'s'" });
  assert.deepEqual(takeTarget('"a \\"b\\"" c', known), { target: 'a "b"', rest: "c" });
  assert.deepEqual(takeTarget("Cool Group hello", known), { target: "Cool Group", rest: "hello" });
  assert.deepEqual(takeTarget("cool group hello", known), { target: "Cool Group", rest: "hello" });
  assert.deepEqual(takeTarget("Cool Grouping", known), { target: "Cool", rest: "Grouping" });
  assert.deepEqual(takeTarget("2 hello", known), { target: "Cool Group", rest: "hello" });
  assert.deepEqual(takeTarget("9 hello", known), { target: "9", rest: "hello" });
  assert.deepEqual(takeTarget("127.0.0.1:5560 x", known), { target: "127.0.0.1:5560", rest: "x" });
  assert.equal(takeTarget("  ", known), undefined);
  assert.throws(() => takeTarget('"Cool', known), /closing " is missing/);
});

test("a command that takes only a group takes the whole rest for it", () => {
  const known = { names: ["Lab"], numbered: [] };
  const whole = (typed: string) => wholeTarget(typed, known, "Cannot join: expected a group");
  assert.equal(whole("My Own Group"), "My Own Group");
  assert.equal(whole("Lab"), "Lab");
  assert.equal(whole("Lab Two"), "Lab Two");
  assert.throws(() => whole('"Lab" Two'), /more than one group/);
  assert.throws(() => whole(" "), /Cannot join: expected a group/);
});

test("a new group has a name and perhaps an address", () => {
  assert.deepEqual(takeNameAndAddress("My Room"), { name: "My Room" });
  assert.deepEqual(takeNameAndAddress("My Room 127.0.0.1:0"), {
    name: "My Room",
    address: "127.0.0.1:0",
  });
  assert.deepEqual(takeNameAndAddress('"My Room" 127.0.0.1:5560'), {
    name: "My Room",
    address: "127.0.0.1:5560",
  });
});

test("Tab completes commands, groups and members", () => {
  const what = {
    commands: COMMANDS.flatMap(({ names }) => names),
    groups: ["Lobby", "Cool Group"],
    members: [
      { user: "11111111-0000-8000-8000-000000000000", name: "alice" },
      { user: "22222222-0000-8000-8000-000000000000", name: "Al Bundy" },
    ],
  };
  assert.deepEqual(completions("jo", what), [["join_group "], "jo"]);
  assert.deepEqual(completions("/jo", what), [["/join_group "], "/jo"]);
  assert.deepEqual(completions("get-m", what), [["get_messages "], "get-m"]);
  assert.deepEqual(completions("join_group c", what), [['"Cool Group"'], "c"]);
  assert.deepEqual(completions('join_group "Cool G', what), [['"Cool Group"'], '"Cool G']);
  assert.deepEqual(completions("ali", what), [["alice: "], "ali"]);
  assert.deepEqual(completions("hello @ali", what), [["@alice "], "@ali"]);
  assert.deepEqual(completions("hello @al B", what), [["@Al Bundy "], "@al B"]);
  assert.deepEqual(completions("hello ", what), [[], "hello "]);
});

test("lines are the same however the input is cut", async () => {
  const bytes = new TextEncoder().encode("one\r\ntwo 漢字\n\nlast");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const lines: string[] = [];
    for await (const line of linesOf(chunks(bytes.slice(0, cut), bytes.slice(cut)))) {
      lines.push(line);
    }
    assert.deepEqual(lines, ["one", "two 漢字", "", "last"], `cut at ${cut}`);
  }
});

test("the whole input is one text without its last line feed", async () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  assert.equal(await wholeText(chunks(encode("a\r\nb\n"))), "a\nb");
  await assert.rejects(wholeText(chunks(encode("x".repeat(70_000)))), /--lines sends each line/);
});

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(part);
}
