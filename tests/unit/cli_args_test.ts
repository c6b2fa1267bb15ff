import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import settings from "../../deno.json" with { type: "json" };
import { UsageError } from "../../lib/errors.ts";
import { atMost, COMMON, readArgs, wholeNumber } from "../../lib/cli/args.ts";
import { rangeOf } from "../../lib/cli/commands/messages.ts";
import { COMMAND_OPTIONS } from "../../lib/cli/commands/table.ts";
import { homeFolder, registriesOf } from "../../lib/cli/home.ts";
import { findCommand, onceNames } from "../../lib/cli/once.ts";
import { VERSION } from "../../lib/cli/program.ts";
import { checkedAddress } from "../../lib/text/addresses.ts";
import { edits, nearest } from "../../lib/text/nearest.ts";
import { parseEnd } from "../../lib/text/time.ts";

const OPTIONS = {
  ...COMMON,
  ...COMMAND_OPTIONS,
  registry: { type: "list", value: "HOST:PORT", help: "" },
  name: { type: "text", value: "NAME", help: "" },
} as const;

const read = (...argv: string[]) => readArgs(argv, OPTIONS);

function refuses(argv: string[], sentence: RegExp): void {
  assert.throws(() => read(...argv), (error: unknown) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, sentence);
    return true;
  });
}

test("options may stand before and after the words", () => {
  const { positionals, flags, texts } = read("--json", "read", "G", "--since", "2h", "--home=/x");
  assert.deepEqual(positionals, ["read", "G"]);
  assert.deepEqual([...flags], ["json"]);
  assert.deepEqual([...texts], [["since", "2h"], ["home", "/x"]]);
});

test("an option that may be repeated keeps every value", () => {
  assert.deepEqual(read("--registry", "a:1", "--registry=b:2").lists.get("registry"), [
    "a:1",
    "b:2",
  ]);
});

test("a single hyphen and what follows two are words", () => {
  assert.deepEqual(read("send", "G", "-", "--lines").positionals, ["send", "G", "-"]);
  assert.deepEqual(read("send", "G", "--", "--hello").positionals, ["send", "G", "--hello"]);
});

test("what cannot be used is one sentence that says the way out", () => {
  refuses(["--jsno"], /--jsno: .*did you mean --json\?/);
  refuses(["--zzzzzz"], /no such option/);
  refuses(["-x"], /-x: there is no such option/);
  refuses(["--since"], /its value TIME is missing/);
  refuses(["--since", "--json"], /its value TIME is missing/);
  refuses(["--json=yes"], /takes no value/);
  refuses(["--constructor"], /no such option/);
});

test("help has a short form", () => {
  assert.ok(read("-h").flags.has("help"));
});

test("numbers, addresses and surplus words are checked", () => {
  const port = (typed: string) =>
    wholeNumber({ texts: new Map([["port", typed]]) }, "port", 0, 65_535);
  assert.equal(port("0"), 0);
  for (const bad of ["-1", "1.5", "65536", "x", ""]) {
    assert.throws(() => port(bad), /Cannot use --port .*: expected a whole number 0 to 65535/);
  }
  assert.equal(checkedAddress("the address", "127.0.0.1:0", { free: true }), "127.0.0.1:0");
  assert.throws(() => checkedAddress("the address", "127.0.0.1:0"), /expected HOST:PORT/);
  assert.throws(() => checkedAddress("the address", "5555"), /expected HOST:PORT/);
  assert.throws(() => atMost(["a", "b"], 1), /"b": it is one word too many/);
});

test("the home is the option, the variable, or the platform's data folder", () => {
  const at = (platform: string, env: Record<string, string>, ...argv: string[]) =>
    homeFolder(read(...argv), { env, platform, userHome: "/u" });
  assert.equal(at("linux", { ZGROUP_HOME: "/z" }, "--home", "/h"), "/h");
  assert.equal(at("linux", { ZGROUP_HOME: "/z", XDG_DATA_HOME: "/x" }), "/z");
  assert.equal(at("linux", { XDG_DATA_HOME: "/x" }), join("/x", "zgroup"));
  assert.equal(at("linux", {}), join("/u", ".local", "share", "zgroup"));
  assert.equal(at("darwin", {}), join("/u", "Library", "Application Support", "zgroup"));
  assert.equal(at("win32", { APPDATA: "/a" }), join("/a", "zgroup"));
});

test("the registries are the options, the variable, or this machine's", () => {
  const of = (env: Record<string, string>, ...argv: string[]) =>
    registriesOf(read(...argv), { env });
  assert.deepEqual(of({}), ["127.0.0.1:5555"]);
  assert.deepEqual(of({ ZGROUP_REGISTRY: "a:1, b:2," }), ["a:1", "b:2"]);
  assert.deepEqual(of({ ZGROUP_REGISTRY: "a:1" }, "--registry", "c:3", "--registry", "c:3"), [
    "c:3",
  ]);
  assert.throws(() => of({ ZGROUP_REGISTRY: "nonsense" }), /ZGROUP_REGISTRY nonsense/);
});

test("a command is found by each of its names, with - and _ alike", () => {
  assert.equal(onceNames(findCommand(read("get_group_list")))[0], "list");
  assert.equal(onceNames(findCommand(read("get-messages", "G")))[0], "read");
  assert.throws(() => findCommand(read("raed", "G")), /did you mean read\?/);
});

test("a command refuses missing words, surplus words and options of others", () => {
  assert.throws(() => findCommand(read("read")), /something is missing, expected read G/);
  assert.throws(() => findCommand(read("join", "Cool", "Group")), /needs quotes/);
  assert.throws(() => findCommand(read("join", "G", "--last", "3")), /--last with join/);
});

test("a range holds what was given and nothing else", () => {
  const now = Date.UTC(2026, 10, 20, 12);
  const range = (...argv: string[]) => JSON.parse(JSON.stringify(rangeOf(read(...argv), now)));
  assert.deepEqual(range("read", "G"), { last: false });
  assert.deepEqual(range("--since", "2h", "--after", "5", "--limit", "3"), {
    since: now - 7_200_000,
    after: 5,
    limit: 3,
    last: false,
  });
  assert.deepEqual(range("--last", "3"), { limit: 3, last: true });
  assert.throws(() => rangeOf(read("--last", "3", "--limit", "3"), now), /--limit with --last/);
});

test("the end of a span is the last millisecond of what it names", () => {
  const now = Date.UTC(2026, 10, 20, 12);
  const end = (text: string) => new Date(parseEnd(text, now, "UTC")).toISOString();
  assert.equal(end("2026-11-19"), "2026-11-19T23:59:59.999Z");
  assert.equal(end("10:30"), "2026-11-20T10:30:59.999Z");
  assert.equal(end("10:30:05"), "2026-11-20T10:30:05.999Z");
  assert.equal(end("2026-11-19 10:30"), "2026-11-19T10:30:59.999Z");
  assert.equal(end("2026-11-19T10:30:05.123Z"), "2026-11-19T10:30:05.123Z");
  assert.equal(end("1h"), "2026-11-20T11:00:00.000Z");
});

test("the nearest word is one that could be meant", () => {
  assert.equal(nearest("jion_group", ["join_group", "leave_group"]), "join_group");
  assert.equal(nearest("xyz", ["join_group"]), undefined);
  assert.equal(edits("abcd", "abdc"), 1);
});

test("the version is the package's", () => {
  assert.equal(VERSION, settings.version);
});
