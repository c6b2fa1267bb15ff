/** The table of a user's commands is whole, and each row runs from each place that it names. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { readArgs } from "../../lib/cli/args.ts";
import type { AtPrompt, Command } from "../../lib/cli/commands/command.ts";
import { COMMAND_OPTIONS, ONCE_COMMANDS, PROMPT_COMMANDS } from "../../lib/cli/commands/table.ts";
import { completions } from "../../lib/cli/console/line.ts";
import { Prompt } from "../../lib/cli/console/prompt.ts";
import { runScript } from "../../lib/cli/console/run.ts";
import { findCommand, onceNames, onceOptions, runOnce } from "../../lib/cli/once.ts";
import type { SoFar } from "../../lib/cli/progress.ts";
import type { Call } from "../../lib/cli/program.ts";
import type { Served, Servers } from "../../lib/cli/servers.ts";
import type { JoinedGroup } from "../../lib/user/types.ts";
import type { User } from "../../lib/user/user.ts";

const NAMES = PROMPT_COMMANDS.flatMap(({ names }) => names);
const ONCE = ONCE_COMMANDS.filter((command): command is Command => command.once !== undefined);

/** What is typed behind a name, at the prompt and on a command line. */
const TYPED: Readonly<Record<string, readonly [prompt: string, once: readonly string[]]>> = {
  list_groups: ["", []],
  join_group: ["Lab", ["Lab"]],
  leave_group: ["Lab", ["Lab"]],
  show_groups: ["", []],
  get_messages: ["Lab", ["Lab"]],
  send_message: ["Lab hi", ["Lab", "hi"]],
  flush: ["", []],
  unsend: ["", []],
  create_group: ["Mine 127.0.0.1:0", []],
  status: ["", []],
  stop: ["Lab", []],
  members: ["Lab", ["Lab"]],
  switch: ["Lab", []],
  invite: ["Lab --uses 2", ["Lab", "--uses", "2"]],
  invites: ["Lab", ["Lab"]],
  revoke: ["Lab all", ["Lab", "all"]],
  promote: ["Lab bob admin", ["Lab", "bob", "admin"]],
  demote: ["Lab bob reader", ["Lab", "bob", "reader"]],
  remove: ["Lab bob", ["Lab", "bob"]],
  ban: ["Lab bob", ["Lab", "bob"]],
  unban: ["Lab bob", ["Lab", "bob"]],
  mute: ["Lab bob --for 1h", ["Lab", "bob", "--for", "1h"]],
  unmute: ["Lab bob", ["Lab", "bob"]],
  topic: ["Lab", ["Lab"]],
  trust: ["Lab", ["Lab"]],
  rename: ["alan", ["alan"]],
  whoami: ["", []],
  menu: ["", []],
  help: ["", []],
  exit: ["", []],
  follow: ["", ["Lab"]],
  fingerprint: ["Lab", ["Lab"]],
};

const LAB = {
  id: "11111111-0000-8000-8000-000000000000",
  name: "Lab",
  address: "127.0.0.1:5560",
  role: "admin",
  state: "live",
  unread: 0,
  waiting: 0,
  cursor: 0,
  key: "k".repeat(43),
};

/** A user that is a member of Lab, and keeps what was asked of it. */
function fakeUser() {
  const asked: string[] = [];
  const entry = {
    group: "Lab",
    epoch: "e",
    seq: 1,
    at: 0,
    kind: "message",
    author: LAB.id,
    name: "bob",
    text: "text",
    signature: "valid",
  };
  const entries = async function* () {
    yield await Promise.resolve(entry);
  };
  const answers = {
    list: [{ name: "Lab", address: LAB.address, state: "live", record: { id: LAB.id } }],
    join: LAB,
    leave: { told: true, unsent: 0 },
    flush: [{ group: "Lab", sent: 1, refused: 0, waiting: 0 }],
    send: { mid: "m", seq: 2, at: 0, duplicate: false },
    members: [{ user: LAB.id, name: "bob", role: "member", present: true }],
    banned: [{ user: LAB.id, name: "eve" }],
    act: 3,
    topic: "things",
    check: [LAB],
    trust: { what: "the group Lab", before: LAB.key, now: LAB.key, changed: false },
    rename: undefined,
    fingerprint: { epoch: "e", from: 1, seq: 2, hash: "h" },
  };
  const made = { id: "1a2b3c4d".repeat(8), uses: 1, role: "member", until: 0 };
  const told = <T>(name: string, answer: T) => () => {
    asked.push(name);
    return Promise.resolve(answer);
  };
  const user = {
    id: LAB.id,
    name: "alice",
    invites: {
      make: told("make", { ...made, link: "zgroup://link", short: "zgroup://short" }),
      open: told("open", [{ ...made, by: LAB.id, name: "bob" }]),
      revoke: told("revoke", 1),
    },
    registries: ["127.0.0.1:5555"],
    joined: () => [LAB],
    unsent: () => [{ group: "Lab", mid: "m", text: "text", at: 0, tried: true }],
    read: entries,
    follow: entries,
    seen: () => {},
    on: () => () => {},
    ...Object.fromEntries(
      Object.entries(answers).map(([name, answer]) => [name, told(name, answer)]),
    ),
  };
  return { user: user as unknown as User, asked };
}

function sink() {
  const [lines, failures]: string[][] = [[], []];
  const add = (to: string[]) => (text: string) => {
    to.push(...text.split("\n"));
    return Promise.resolve();
  };
  return {
    lines,
    failures,
    output: { style: { colour: false }, print: add(lines), complain: add(failures) },
  };
}

async function* none(): AsyncGenerator<never> {}

/** What a command line is run with: of the doors it needs standard input alone. */
function call(given: Pick<Call, "given" | "output">, stdin: AsyncIterable<Uint8Array>): Call {
  const run = { signal: new AbortController().signal, onClose: () => {} };
  return { ...given, home: "/home", doors: { stdin } as Call["doors"], run };
}

/** Runs a command line; what it printed. */
async function once(command: Command, ...options: string[]) {
  const { lines, failures, output } = sink();
  const { user, asked } = fakeUser();
  const argv = [onceNames(command)[0], ...TYPED[command.names[0]][1], ...options];
  const given = readArgs(argv, COMMAND_OPTIONS);
  const found = findCommand(given);
  assert.equal(found, command);
  const code = await runOnce(found, user, call({ given, output }, none()));
  assert.equal(code, 0, failures.join("\n"));
  return { lines, asked };
}

/** Servers beside a prompt that host as they are told, and serve Lab. */
function serving(host: Servers["host"]): Servers {
  const served: Served = {
    folder: "/h",
    pid: 1,
    background: false,
    since: 0,
    groups: [{ name: "Lab", address: LAB.address, key: LAB.key, connected: 1 }],
    connected: 1,
    log: "/h/logs/servers.log",
  };
  return {
    own: true,
    look: () => Promise.resolve(served),
    registry: () => Promise.reject(new Error("none")),
    host,
    revive: () => Promise.resolve({ groups: [], troubles: [] }),
    unhost: () => Promise.resolve(true),
    detach: () => Promise.resolve(),
    stop: () => Promise.resolve(true),
    onTrouble() {},
    close: () => Promise.resolve(),
  };
}

/** Runs a line of a script; what it printed. */
async function script({ names: [name] }: Command) {
  const { lines, failures, output } = sink();
  const { user, asked } = fakeUser();
  const { signal } = new AbortController();
  const servers = serving(() => Promise.resolve({ address: LAB.address, key: LAB.key }));
  const typed = async function* () {
    yield await Promise.resolve(`/${name} ${TYPED[name][0]}`);
  };
  const code = await runScript({ user, home: "/h", servers, output, lines: typed(), signal });
  assert.equal(code, 0, failures.join("\n"));
  return { lines, asked };
}

/** Runs a command where a person sits in front of it. */
async function prompt(command: Command) {
  const lines: string[] = [];
  const { user, asked } = fakeUser();
  const stop = new AbortController();
  const screen = {
    style: { colour: false },
    live: true,
    print: (text: string) => void lines.push(...text.split("\n")),
    fail: (text: string) => assert.fail(text),
    ask: () => Promise.resolve(undefined),
    status: () => {},
    prompt: () => {},
  };
  const servers = serving(() => Promise.resolve({ address: LAB.address, key: LAB.key }));
  const one = new Prompt({ user, home: "/h", screen, servers, signal: stop.signal });
  await one.run(command, TYPED[command.names[0]][0]);
  stop.abort();
  return { lines, asked };
}

test("a command is in the list of each place that it names, and in no other", () => {
  for (const command of new Set([...PROMPT_COMMANDS, ...ONCE_COMMANDS])) {
    const { names: [name], prompt, once, program } = command;
    assert.equal(prompt !== undefined, PROMPT_COMMANDS.some((one) => one === command), name);
    assert.equal(
      once !== undefined || program !== undefined,
      ONCE_COMMANDS.some((one) => one === command),
      name,
    );
  }
});

test("a name stands for one command", () => {
  const prompt = PROMPT_COMMANDS.flatMap(({ names, short = [] }) => [...names, ...short]);
  const once = ONCE_COMMANDS.flatMap(onceNames);
  for (const all of [prompt, once]) assert.equal(new Set(all).size, all.length, all.join(" "));
});

test("Tab completes every command of the prompt", () => {
  for (const name of NAMES) {
    const [found] = completions(name, { commands: NAMES, groups: [], members: [] });
    assert.ok(found.includes(`${name} `), name);
  }
});

test("the menu counts from 1 and leaves out no number", () => {
  const numbers = PROMPT_COMMANDS.flatMap(({ menu }) => menu?.number ?? []).sort((a, b) => a - b);
  assert.deepEqual(numbers, numbers.map((_, i) => i + 1));
});

test("every option of a command is in the table of options, and each belongs to one", () => {
  const used = new Set(ONCE.flatMap(onceOptions));
  assert.deepEqual([...used].sort(), Object.keys(COMMAND_OPTIONS).sort());
});

for (const command of new Set([...PROMPT_COMMANDS, ...ONCE])) {
  const { names: [name] } = command;
  test(`${name} runs from each place that it names, and asks the same of the user`, async () => {
    const places = [
      ...(command.prompt ? [await prompt(command), await script(command)] : []),
      ...(command.once ? [await once(command)] : []),
    ];
    // Where a group's entries will be shown, who is in it is asked, too.
    const own = places.map(({ asked }) => asked.filter((one) => one !== "members" || name === one));
    for (const asked of own) assert.deepEqual(asked, own[0]);
    const silent = ["menu", "exit"].includes(name);
    if (!silent) { for (const { lines } of places.slice(1)) assert.notEqual(lines.length, 0); }
  });

  if (!command.json) continue;
  test(`${name} --json prints one object a line`, async () => {
    const { lines } = await once(command, "--json");
    assert.notEqual(lines.length, 0);
    for (const line of lines) assert.equal(typeof JSON.parse(line), "object");
  });
}

test("README names commands that there are", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const atPrompt = /^At the prompt: .*?`exit`/ms.exec(readme)![0];
  const named = [...atPrompt.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name);
  assert.deepEqual(named.filter((name) => !NAMES.includes(name)), []);
  const once = ONCE_COMMANDS.flatMap(onceNames);
  const lines = [...readme.matchAll(/user\.ts (?!-)([\w-]+)/g)].map(([, name]) => name);
  assert.deepEqual(lines.filter((name) => !once.includes(name)), []);
  assert.ok(named.length > 5 && lines.length > 5);
});

test("the screens take types of lib/user alone, so that --help loads nothing of it", () => {
  const folder = new URL("../../lib/cli/", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const text = readFileSync(new URL(file.replaceAll("\\", "/"), folder), "utf8");
    const found = /^(import|export) (?!type)[^;]*"[./]+\/(user|run)\/[^;]*;/m.exec(text)?.[0];
    assert.equal(found, undefined, file);
  }
});

test("SUCCESS is printed before what the command brings, though that is here first", async () => {
  for (const name of ["send_message", "ban", "topic", "rename"]) {
    const lines: string[] = [];
    const came = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    /** The feed has handed its entry on by then. */
    const answered = async () => {
      came.resolve();
      await taken.promise;
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      return 1;
    };
    const entry = { kind: "message", author: LAB.id, name: "alice", text: "done", seq: 1, at: 0 };
    const user = {
      ...fakeUser().user,
      read: async function* () {},
      follow: async function* (_: string, { signal }: { signal: AbortSignal }) {
        await came.promise;
        taken.resolve();
        yield entry;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      ...Object.fromEntries(["send", "act", "rename"].map((method) => [method, answered])),
    } as unknown as User;
    const shown = Promise.withResolvers<void>();
    const screen = {
      style: { colour: false },
      live: true,
      print: (text: string) => {
        lines.push(text);
        if (text.endsWith("done")) shown.resolve();
      },
      fail: (text: string) => assert.fail(text),
      ask: () => Promise.resolve(undefined),
      status: () => {},
      prompt: () => {},
    };
    const servers = serving(() => Promise.reject(new Error("none")));
    const stop = new AbortController();
    const one = new Prompt({ user, home: "/h", screen, servers, signal: stop.signal, all: true });
    await one.watch(LAB as JoinedGroup);
    const command = PROMPT_COMMANDS.find(({ names }) => names[0] === name)!;
    await one.run(command, name === "rename" ? "alan" : "Lab bob");
    await shown.promise;
    stop.abort();
    assert.equal(lines[0], "SUCCESS", `${name}: ${lines}`);
  }
});

test("get_messages says of a span that it is reversed, also of the current group", () => {
  const command = PROMPT_COMMANDS.find(({ names }) => names[0] === "get_messages")!;
  const current = LAB as JoinedGroup;
  const known = { names: ["Lab"], numbered: [] };
  const prompt = { known, joined: [current], current, live: true } as unknown as AtPrompt;
  for (const typed of ["15:00 14:00", "Lab 15:00 14:00", "lab 15:00 14:00"]) {
    assert.throws(
      () => command.prompt!.read(typed, prompt),
      /^UsageError: Cannot read from 15:00 to 14:00: the end lies before the beginning; /,
      typed,
    );
  }
});

test("send --lines gives a receipt for each line, and stops at the first that fails", async () => {
  const { lines, failures, output } = sink();
  const { user } = fakeUser();
  let seq = 0;
  const send = (_: string, text: string) =>
    text === "bad" ? Promise.reject(new Error("no")) : Promise.resolve({ seq: ++seq, at: 0 });
  const given = readArgs(["send", "Lab", "-", "--lines", "--json"], COMMAND_OPTIONS);
  const stdin = (async function* () {
    yield await Promise.resolve(new TextEncoder().encode("one\n\ntwo\nbad\n"));
  })();
  const failing = { ...user, send } as unknown as User;
  const shown: string[] = [];
  const progress = (soFar?: SoFar) => void shown.push(soFar?.say() ?? "over");
  const showing = { ...output, progress };
  const code = await runOnce(findCommand(given), failing, call({ given, output: showing }, stdin));
  assert.equal(code, 1);
  assert.deepEqual(shown.map((text) => text.replace(/, \d+ /, ", N ")), [
    "1 line accepted, N a second",
    "2 lines accepted, N a second",
    "over",
  ]);
  const at = "1970-01-01T00:00:00.000Z";
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [{ seq: 1, at }, { seq: 2, at }]);
  assert.deepEqual(failures, [
    "FAILED: no (line 4; 2 lines accepted; 1 refused; nothing after line 4 was sent)",
  ]);
});
