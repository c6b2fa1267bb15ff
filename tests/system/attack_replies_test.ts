/** Hostile servers: whatever they answer, the programs show nothing hostile, and say what is wrong. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { sealingKey } from "../../lib/session/noise.ts";
import { feedPacket } from "../../lib/session/packet.ts";
import type { Session } from "../../lib/session/session.ts";
import { closing, until } from "../support.ts";
import { NO_TERMINAL, Terminal } from "../support/terminal.ts";
import { type Keep, row } from "./attack_world.ts";
import {
  CORPUS,
  EPOCH,
  GOOD,
  GOOD_OF_REGISTRY,
  hostileServer,
  KEY,
  OBEYED,
  RECORD,
  USER,
} from "./hostile.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** What is put in the place of every field. */
const HOSTILE: readonly unknown[] = [
  "\x1b]0;owned\x07",
  "\x9b31m\x9d0;title\x9c",
  "\u202egnp.exe",
  "over\n[2026-01-01 00:00:00] founder: I never said this",
  "\rSUCCESS",
  "half \ud800 of one",
  "a\u200bb\u2028c",
  "__proto__",
  "constructor",
  "toString",
  "x".repeat(700_000),
  "",
  7,
  -1,
  8.64e15 + 1,
  true,
  null,
  {},
  { toString: 1, valueOf: 1 },
  [],
  ["\x1b[2J", { a: "\x1b[2J" }],
];

/** JavaScript's own words, which say nothing to a person. */
const ITS_OWN =
  /(Type|Range|Syntax|Reference)Error|\bundefined\b|\bNaN\b|\[object |native code|=> |^ {4}at |Invalid time|Cannot (read prop|convert)/m;

const MID = "00000000-0000-7000-8000-000000000001";

/** What a group says when it is asked, with something in every field. */
const FULL = {
  ...GOOD,
  read: {
    ...{ epoch: EPOCH, head: 3, tail: 1, more: false },
    batches: [
      {
        ...{ first: 1, count: 1, at: 1, kind: "message", author: USER, name: "eve" },
        messages: [[MID, "a text"]],
      },
      {
        ...{ first: 2, count: 1, at: 1, kind: "mute", author: "~eve", name: "eve" },
        body: { user: USER, name: "bob", role: "member", topic: "a topic", until: 1 },
      },
      {
        ...{ first: 3, count: 1, at: 1, kind: "topic", author: USER, name: "eve" },
        body: { topic: "a topic" },
      },
      {
        ...{ first: 4, count: 1, at: 1, kind: "promote", author: USER, name: "eve" },
        body: { user: USER, role: "admin" },
      },
    ],
  },
  members: {
    members: [{ user: USER, name: "eve", role: "member", present: true }],
    ...{ more: false, topic: "a topic" },
    banned: [{ user: USER, name: "bob" }],
  },
};

/** What a refusal says. */
const REFUSAL = { code: "forbidden", message: "Cannot do that: it is forbidden", retry_after: 1 };

/** A value with each hostile one in the place of each field of it, however deep. */
function* spoilt(good: unknown): Generator<unknown> {
  if (typeof good !== "object" || good === null) return;
  for (const [field, inside] of Object.entries(good)) {
    const put = (value: unknown) =>
      Array.isArray(good) ? good.with(Number(field), value) : { ...good, [field]: value };
    for (const value of HOSTILE) yield put(value);
    for (const value of spoilt(inside)) yield put(value);
  }
}

/** All that a client may be answered to an op: every bad reply, and every bad refusal. */
function answersTo(good: Readonly<Record<string, unknown>>): object[] {
  return [
    ...[...spoilt(good)].map((ok) => ({ ok })),
    ...[...spoilt(REFUSAL), ...HOSTILE].map((error) => ({ error })),
    ...HOSTILE.map((ok) => ({ ok })),
    {},
  ];
}

/** Nothing that a terminal obeys, nothing that JavaScript says, and no line without end. */
function assertHarmless(what: string, output: string, longest = 3_000): void {
  const obeyed = OBEYED.exec(output.replaceAll("\n", ""));
  const near = (at: number) => JSON.stringify(output.slice(Math.max(0, at - 200), at + 100));
  assert.ok(!obeyed, `${what}: ${near(obeyed?.index ?? 0)}`);
  const its = ITS_OWN.exec(output);
  assert.ok(!its, `${what}: ${near(its?.index ?? 0)}`);
  for (const line of output.split("\n")) {
    assert.ok(line.length <= longest || /^(\[|x{9})/.test(line), `${what}: ${line.slice(0, 200)}`);
    assert.doesNotMatch(line, /^(SUCCESS.|\[2026-01-01 00:00:00\] founder)/, what);
  }
}

/** A server whose answers to one op are bad, one after the other; and how many it has given. */
async function answering(
  keep: Keep,
  is: "group" | "registry",
  op: string,
  answers: readonly object[],
) {
  const rest = new Map<unknown, unknown>(Object.entries(is === "group" ? FULL : GOOD_OF_REGISTRY));
  const given = { count: 0 };
  const server = await hostileServer(keep, (session, { id, op: asked }) => {
    const answer = asked === op ? answers[given.count++ % answers.length] : { ok: rest.get(asked) };
    session.reply(JSON.stringify({ id, ...answer }));
  }, is);
  return { address: server.address, given };
}

/** What a script of the prompt's commands says. */
async function scripted(keep: Keep, registry: string, lines: readonly string[]): Promise<string> {
  const place = ["--home", keep(new Folder()).path, "--registry", registry];
  const program = keep(new Process(ours("user.ts", ...place)));
  program.write(`${lines.join("\n")}\n`);
  program.finish();
  await program.end(60_000);
  return program.output;
}

/** A registry that lists nothing. */
async function emptyRegistry(keep: Keep): Promise<string> {
  const error = { code: "not_found", message: "Cannot resolve: it is not listed" };
  return (await answering(keep, "registry", "resolve", [{ error }])).address;
}

const ASKED_BY: readonly (readonly [op: keyof typeof FULL, command: string])[] = [
  ["read", "get_messages Evil"],
  ["members", "members Evil"],
  ["members", "/topic Evil"],
  ["act", "/topic Evil new"],
  ["invite", "/invite Evil"],
];

for (const [op, command] of ASKED_BY) {
  test(`attack: whatever a group answers to ${op}, ${command} shows nothing hostile`, () =>
    closing(async (keep) => {
      const answers = answersTo(FULL[op]);
      const { address, given } = await answering(keep, "group", op, answers);
      const lines = answers.map(() => command);
      const output = await scripted(keep, await emptyRegistry(keep), [
        `join_group ${address}`,
        ...lines,
      ]);
      assert.ok(
        given.count >= answers.length,
        `${given.count} of ${answers.length} were asked for`,
      );
      assertHarmless(command, output);
      row(`answers to ${op}, shown by ${command}`, { tried: given.count });
    }));
}

test("attack: whatever a registry answers, lists and joins show nothing hostile", () =>
  closing(async (keep) => {
    for (
      const [op, command] of [["list", "list_groups"], ["resolve", "join_group Evil"]] as const
    ) {
      const answers = answersTo(GOOD_OF_REGISTRY[op]).filter(
        // Nothing is wrong with a group that does not answer, and it is waited for.
        (answer) => JSON.stringify(answer) !== JSON.stringify({ ok: GOOD_OF_REGISTRY[op] }),
      );
      const { address, given } = await answering(keep, "registry", op, answers);
      const output = await scripted(keep, address, answers.map(() => command));
      assert.ok(
        given.count >= answers.length,
        `${given.count} of ${answers.length} were asked for`,
      );
      assertHarmless(command, output);
      row(`a registry's answers to ${op}`, { tried: given.count });
    }
  }));

test("attack: whatever a server says of itself in the handshake, a join shows nothing hostile", () =>
  closing(async (keep) => {
    const said = [...spoilt({ group: RECORD }), ...spoilt({ registry: { key: KEY } })]
      .filter((says) => JSON.stringify(says).length < 1_500);
    let count = 0;
    const next = () => said[count++ % said.length] as { group: typeof RECORD };
    const { address } = await hostileServer(keep, () => {}, next);
    const output = await scripted(
      keep,
      await emptyRegistry(keep),
      said.map(() => `join_group ${address}`),
    );
    assert.ok(count >= said.length, `${count} of ${said.length} were asked for`);
    assertHarmless("join_group", output);
    row("what a server says of itself", { tried: count });
  }));

test("attack: whatever a group refuses or serves, one command and out shows nothing hostile", () =>
  closing(async (keep) => {
    const words = CORPUS.join("");
    const error = { ...REFUSAL, code: "\x1b[2J", message: words };
    const { address } = await answering(keep, "group", "act", [{ error }]);
    const home = keep(new Folder()).path;
    const place = ["--home", home, "--registry", await emptyRegistry(keep)];
    const once = async (...args: string[]) => {
      const program = keep(new Process(ours("user.ts", ...args, ...place)));
      program.finish();
      await program.end(20_000);
      assertHarmless(args.join(" "), program.output);
      return program.output;
    };
    await once("join", address);
    assert.match(await once("topic", address, "x"), /^FAILED: \\x1b\[2J/);
    for (const args of [["read"], ["members"], ["topic"], ["invite"]]) {
      for (const json of [[], ["--json"]]) {
        assert.doesNotMatch(await once(...args, address, ...json), /^FAILED/);
      }
    }
  }));

test("attack: whatever a registry answers to a group, its log shows nothing hostile", () =>
  closing(async (keep) => {
    const answers = answersTo(GOOD_OF_REGISTRY.register);
    const { address, given } = await answering(keep, "registry", "register", answers);
    for (const format of [[], ["--log-json"]]) {
      const began = given.count;
      const place = ["--home", keep(new Folder()).path, "--registry", address];
      const group = keep(new Process(ours("group.ts", "Lab", "127.0.0.1:0", ...place, ...format)));
      await until(
        () => given.count > began + 2 && /registry/.test(group.output),
        20_000,
        "answers",
      );
      await group.stop();
      assertHarmless(`group.ts ${format}`, group.output);
    }
  }));

test("attack: whatever comes live, the screen of a prompt shows nothing hostile", {
  skip: NO_TERMINAL,
}, () =>
  closing(async (keep) => {
    const [message, action] = FULL.read.batches;
    const frames = [
      ...spoilt({ epoch: EPOCH, head: 1, from: 1, batches: [{ ...message, first: 1 }] }),
      ...spoilt({ epoch: EPOCH, batches: [{ ...action, first: 1 }] }),
      ...spoilt({ epoch: EPOCH, typing: { user: USER, name: "eve" } }),
      ...CORPUS.map((text) => ({
        epoch: EPOCH,
        batches: [{
          ...message,
          first: 1,
          messages: [[MID, text]],
        }],
      })),
    ].map((frame) => JSON.stringify(frame)).filter((json) => json.length < 10_000);
    const key = sealingKey(Buffer.from(KEY, "base64url"));
    let counter = 0;
    let over = false;
    let following: Session | undefined;
    const feed = (json: string) =>
      following!.feed(server.encodeFeed(feedPacket(key, 1, counter++, json)));
    const server = await hostileServer(keep, (session, { id, op, after }) => {
      const seq = Number(after ?? 0) + 1;
      const end = {
        ...message,
        first: seq,
        messages: [[MID, "the end"]],
      };
      const ok = op === "read"
        ? {
          epoch: EPOCH,
          head: over ? seq : seq - 1,
          tail: 1,
          more: false,
          batches: over ? [end] : [],
        }
        : FULL[op as keyof typeof FULL];
      session.reply(JSON.stringify({ id, ok }));
      if (op === "subscribe") following = session;
    });
    const place = [
      "--home",
      keep(new Folder()).path,
      "--name",
      "alice",
      "--registry",
      await emptyRegistry(keep),
    ];
    const alice = keep(new Terminal(ours("user.ts", ...place)));
    await alice.shows("zgroup>");
    await alice.enter(`join_group ${server.address}`, "Evil>");
    alice.type("half a line");
    await until(() => following, 20_000, "a subscription");
    for (const json of frames) feed(json);
    over = true;
    await until(
      () => {
        feed(JSON.stringify({ epoch: EPOCH, head: 1_000_000 }));
        return alice.text.includes(": the end");
      },
      20_000,
      "the last message",
    );
    await alice.shows(/Evil> half a line$/);
    assert.deepEqual(alice.screen.strange, []);
    assertHarmless("the screen", alice.text);
    row("frames of a live feed", { tried: frames.length });
  }));
