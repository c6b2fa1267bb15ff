import assert from "node:assert/strict";
import test from "node:test";
import {
  ONCE_COMMANDS,
  PROMPT_COMMANDS,
  TYPED_COMMANDS as COMMANDS,
} from "../../lib/cli/commands/table.ts";
import { takeNameAndAddress, takeTarget, wholeTarget } from "../../lib/cli/commands/targets.ts";
import { completions, readLine } from "../../lib/cli/console/line.ts";
import { linesOf, wholeText } from "../../lib/cli/streams.ts";

const around = {
  known: { names: ["Lobby", "Cool Group", "127.0.0.1:5560"], numbered: ["Lobby"] },
  members: ["alice", "Al Bundy"],
};
const inGroup = (typed: string) => readLine(typed, COMMANDS, { current: true, ...around });
const nowhere = (typed: string) => readLine(typed, COMMANDS, { current: false, ...around });
const names = COMMANDS.flatMap(({ names, short = [] }) => [...names, ...short]);

function runs(line: ReturnType<typeof inGroup>, name: string, rest = ""): void {
  assert.equal(line.kind, "command", JSON.stringify(line));
  if (line.kind !== "command") return;
  assert.equal(line.command.names[0], name);
  assert.equal(line.rest, rest);
}

test("every command is one of the prompt, or says what is done there instead", () => {
  for (const command of [...PROMPT_COMMANDS, ...ONCE_COMMANDS]) {
    assert.ok(COMMANDS.some((one) => one === command), command.names[0]);
    assert.equal(command.prompt === undefined, command.instead !== undefined, command.names[0]);
  }
});

test("every name of the table is understood with - and _, with / and in any case", () => {
  for (const name of names) {
    for (const typed of [name, name.replaceAll("_", "-"), `/${name}`, name.toUpperCase()]) {
      // A lone letter is an answer.
      assert.equal(inGroup(typed).kind, typed.length > 1 ? "command" : "text", typed);
      assert.equal(nowhere(typed).kind, "command", typed);
    }
    const withText = `${/[_-]/.test(name) ? "" : "/"}${name} whatever it is that follows`;
    assert.equal(inGroup(withText).kind, "command", withText);
  }
  runs(inGroup("join-group Lobby"), "join_group", "Lobby");
  runs(inGroup("get_group_list"), "list_groups");
});

test("an ordinary word is a command where what follows is what it takes", () => {
  for (
    const [typed, name, rest = ""] of [
      ["groups", "show_groups"],
      ["list zzz", "list_groups", "zzz"],
      ["read 5m", "get_messages", "5m"],
      ["read Lobby 5m", "get_messages", "Lobby 5m"],
      ["read lob 5m", "get_messages", "lob 5m"],
      ["read cool", "get_messages", "cool"],
      ["read cool group 2026-11-20 23:00", "get_messages", "cool group 2026-11-20 23:00"],
      ["join Nope", "join_group", "Nope"],
      ["join Cool Group", "join_group", "Cool Group"],
      ["leave", "leave_group"],
      ["leave 1", "leave_group", "1"],
      ["leave 127.0.0.1:9", "leave_group", "127.0.0.1:9"],
      ["send Lobby what I think", "send_message", "Lobby what I think"],
      ['send "Own Room" hi', "send_message", '"Own Room" hi'],
      ["switch Lobyb", "switch", "Lobyb"],
      ["switch cool", "switch", "cool"],
      ["members Cool Group", "members", "Cool Group"],
      ["create Own Room 127.0.0.1:0", "create_group", "Own Room 127.0.0.1:0"],
      ["invite --uses 2", "invite", "--uses 2"],
      ["create Own Room --private", "create_group", "Own Room --private"],
      ["revoke 1a2b3c4d", "revoke", "1a2b3c4d"],
      ["help talk", "help", "talk"],
      ["help get-messages", "help", "get-messages"],
      ["ban alice", "ban", "alice"],
      ["mute ali", "mute", "ali"],
      ["unmute alcie", "unmute", "alcie"],
      ["mute Lobby al bundy --for 1h", "mute", "Lobby al bundy --for 1h"],
      ["unmute #1a2b3c4d", "unmute", "#1a2b3c4d"],
      ["promote alice admin", "promote", "alice admin"],
      ["topic Lobby what we do", "topic", "Lobby what we do"],
      ["rename alan", "rename", "alan"],
      ["help join", "help", "join"],
      ["help groups", "help", "groups"],
    ] as const
  ) {
    runs(inGroup(typed), name, rest);
  }
});

test("a line that begins like a command and is none is asked about", () => {
  for (
    const [typed, name] of [
      ["join us for lunch", "join_group"],
      ["Read the paper", "get_messages"],
      ["read this", "get_messages"],
      ["list zzz yyy", "list_groups"],
      ["leave it", "leave_group"],
      ["send me that", "send_message"],
      ["send cool stuff", "send_message"],
      ["read cool stuff", "get_messages"],
      ["create it", "create_group"],
      ["ban him", "ban"],
    ] as const
  ) {
    const line = inGroup(typed);
    assert.equal(line.kind, "unsure", typed);
    if (line.kind !== "unsure") continue;
    assert.deepEqual([line.command.names[0], line.text], [name, typed]);
  }
});

test("what cannot be meant as a command is text, without a question", () => {
  for (
    const typed of [
      "I read the list",
      "help me please",
      "topic of today is lunch",
      "members of the club meet at six",
      "groups of people were there",
      "exit through the door",
      "read what I sent you yesterday, please",
      "join us tomorrow at noon, will you?",
      "ban the bomb",
      "menu: fish",
      "a gruops of typos",
      "member",
      "removed",
      "sent",
      "quite",
      "snake_case is a word",
    ]
  ) {
    assert.deepEqual(inGroup(typed), { kind: "text", text: typed });
  }
});

test("a line that begins with a space is text", () => {
  assert.deepEqual(inGroup(" join_group Lobby"), { kind: "text", text: "join_group Lobby" });
});

test("typos of commands are not sent to the group", () => {
  for (
    const [typed, word, near] of [
      ["jion_group Lobby", "jion_group", "join_group"],
      ["/jion Lab", "/jion", "join"],
      ["/hlep", "/hlep", "help"],
      ["gruops", "gruops", "groups"],
      ["memebrs", "memebrs", "members"],
      ["jion Lobby", "jion", "join"],
    ] as const
  ) {
    const line = inGroup(typed);
    assert.deepEqual(line, { kind: "unknown", word, near, text: typed });
  }
  assert.equal(inGroup("/etc/passwd").kind, "unknown");
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
  assert.deepEqual(takeNameAndAddress('"Other 999"'), { name: "Other 999" });
  assert.deepEqual(takeNameAndAddress("Room7"), { name: "Room7" });
});

test("a new group's name that ends with what may be an address says what is expected", () => {
  for (const typed of ["Other 999", "Other :5560", "My Room 192.168.3.97", "Other 999:"]) {
    const last = typed.split(" ").at(-1);
    assert.throws(() => takeNameAndAddress(typed), {
      name: "UsageError",
      message: `Cannot create "${typed}": ${last} is no address, expected IP:PORT such as ` +
        `127.0.0.1:5560; where it belongs to the name, put that in quotes: "${typed}"`,
    });
  }
});

test("Tab completes commands, groups and members", () => {
  const what = {
    commands: PROMPT_COMMANDS.flatMap(({ names }) => names),
    short: ["join"],
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
  assert.deepEqual(completions("/join c", what), [['"Cool Group"'], "c"]);
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
