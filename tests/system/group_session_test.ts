/** A group as its peers see it: sessions over real sockets, request by request. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isClaimed } from "../../lib/dialects/seed002.ts";
import { Refusal } from "../../lib/errors.ts";
import { DEFAULT_RATES, ratesFor } from "../../lib/group/limits.ts";
import { GroupServer, type GroupServerOptions } from "../../lib/group/server.ts";
import { groupId, newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { memoryLog } from "../../lib/log/memory.ts";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { proofText, recordProblem } from "../../lib/protocol/record.ts";
import {
  type FeedFrame,
  GROUP_REPLIES,
  type Message,
  type ReplyOf,
} from "../../lib/protocol/schema.ts";
import { SessionClient } from "../../lib/session/client.ts";
import { ticketBytes } from "../../lib/session/ticket.ts";
import type { Channel, Frames } from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { RawPeer, RawSession } from "./raw_session.ts";

type GroupOp = keyof typeof GROUP_REPLIES;

const transport = zmtpTransport();
const mid = midMaker();

interface Given {
  readonly access?: "open" | "private";
  readonly founder?: string;
  readonly plain?: boolean;
  readonly options?: Partial<GroupServerOptions>;
}

function startGroup({ access = "open", founder = "", plain = false, options }: Given = {}) {
  const key = newSigningKey();
  const nonce = "n".repeat(22);
  const id = groupId(key.publicKey, "Lab", nonce);
  return GroupServer.start({
    transport,
    address: "127.0.0.1:0",
    log: memoryLog(),
    identity: { id, name: "Lab", key: key.publicKey, nonce, founder, access },
    key,
    pins: new Map<string, string>(),
    plain,
    logger: { info() {}, warn() {} },
    ...options,
  });
}

/** One connection of a user. */
class Person implements AsyncDisposable {
  readonly key: SigningKey;
  readonly user: string;
  readonly frames: FeedFrame[] = [];
  /** Generations whose key was not here when a frame of them came. */
  readonly unreadable: number[] = [];
  readonly gone: string[] = [];
  readonly client: SessionClient<typeof GROUP_REPLIES>;
  proved: ReplyOf<typeof GROUP_REPLIES, "prove"> | undefined;
  #group = "";

  constructor(
    address: string,
    { key = newSigningKey(), ticket, signer = key }: {
      key?: SigningKey;
      signer?: SigningKey;
      ticket?: Uint8Array;
    } = {},
  ) {
    this.key = key;
    this.user = userId(key.publicKey);
    this.client = new SessionClient({
      transport,
      address,
      what: "the group",
      replies: GROUP_REPLIES,
      check: (identity) => {
        if ("group" in identity) this.#group = identity.group.id;
      },
      prove: (transcript) => ({
        key: key.publicKey,
        name: "somebody",
        sig: signer.sign(proofText(transcript)),
      }),
      ticket: () => ticket,
      opened: ({ proved }) => (this.proved = proved),
      gone: (why) => this.gone.push(why),
      feed: (frame) => this.frames.push(frame),
      heard: (unreadable) => {
        if (unreadable !== undefined) this.unreadable.push(unreadable);
      },
    });
  }

  ask<K extends GroupOp>(op: K, fields: object = {}): Promise<ReplyOf<typeof GROUP_REPLIES, K>> {
    return this.client.request(op, fields);
  }

  async send(...messages: Message[]): Promise<{ from: number; duplicate?: boolean }[]> {
    const sig = this.key.sign(
      signedText(this.#group, this.user, messages.map(messageHash)),
    );
    return (await this.ask("send", { messages, sig })).accepted;
  }

  say(text: string): Promise<{ from: number }[]> {
    return this.send([mid(), text]);
  }

  /** Texts heard on the feed, in order. */
  get texts(): string[] {
    return this.frames.flatMap(({ batches = [] }) => batches)
      .flatMap(({ messages = [] }) => messages.map(([, text]) => text));
  }

  heard(text: string): Promise<unknown> {
    return until(() => this.texts.includes(text), 5_000, `"${text}" on the feed`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client.close();
  }
}

const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

type Keep = Parameters<Parameters<typeof closing>[0]>[0];

function groupTest(
  criterion: string,
  given: Given | ((founder: SigningKey) => Given),
  body: (group: GroupServer, keep: Keep, founder: SigningKey) => Promise<void>,
): void {
  test(`a group ${criterion}`, () =>
    closing(async (keep) => {
      const founder = newSigningKey();
      const wanted = typeof given === "function" ? given(founder) : given;
      await body(keep(await startGroup(wanted)), keep, founder);
    }));
}

const founded = (founder: SigningKey): Given => ({ founder: userId(founder.publicKey) });

groupTest("serves who proves a key: join, send, read, members, feed", {}, async (group, keep) => {
  const [alice, bob] = [keep(new Person(group.address)), keep(new Person(group.address))];
  assert.equal((await alice.ask("join")).role, "member");
  await bob.ask("join");
  const followed = await bob.ask("subscribe");
  assert.equal(followed.head, 3);
  const [{ from }] = await alice.say("hello");
  assert.equal(from, 4);
  await bob.heard("hello");
  const page = await bob.ask("read", { after: 3 });
  assert.deepEqual([page.head, page.more], [4, false]);
  const { members } = await bob.ask("members");
  assert.deepEqual(members.map(({ user }) => user), [alice.user, bob.user].sort());
  assert.ok(members.every(({ present }) => present));
  await alice.client.close();
  await until(
    async () => {
      const { members } = await bob.ask("members");
      return members.find(({ user }) => user === alice.user)!.present === false;
    },
    5_000,
    "who is gone is not present",
  );
});

groupTest("says with a signature of its own who it is", {}, async (group, keep) => {
  const alice = keep(new Person(group.address));
  const { identity } = await alice.client.opened();
  assert.ok("group" in identity);
  assert.equal(recordProblem(identity.group, Date.now()), undefined);
  assert.equal(identity.group.id, group.group.identity.id);
  assert.equal(identity.group.address, group.address);
});

groupTest("takes a proof from its connection's budget before it looks at it", {
  options: { rates: { ...DEFAULT_RATES, others: 1 } },
}, async (group, keep) => {
  const liar = keep(await RawSession.open(group.address));
  const [key, sig] = [newSigningKey().publicKey, newSigningKey().sign("anything")];
  const codes: string[] = [];
  for (let i = 0; i < 6; i++) {
    codes.push(await liar.ask("prove", { key, name: "liar", sig }).catch(({ code }) => code));
  }
  assert.deepEqual(codes.slice(0, 4), Array(4).fill("bad_proof"));
  assert.deepEqual(codes.slice(4), Array(2).fill("rate_limited"));
  const other = keep(await RawSession.open(group.address));
  await other.ask("ping");
});

groupTest("refuses a proof by another key, and all that needs one", {}, async (group, keep) => {
  const liar = keep(new Person(group.address, { signer: newSigningKey() }));
  await assert.rejects(liar.ask("join"), refused("bad_proof"));
  const nobody = keep(
    new SessionClient({
      transport,
      address: group.address,
      what: "the group",
      replies: GROUP_REPLIES,
      check() {},
    }),
  );
  assert.equal((await nobody.request("ping", {})).head, 0);
  const ops: GroupOp[] = ["join", "leave", "members", "subscribe", "unsubscribe", "typing", "read"];
  for (const op of ops) {
    await assert.rejects(nobody.request(op, {}), refused("no_session"), op);
  }
  assert.equal(group.group.state.members.size, 0);
});

groupTest("refuses who is no member, and tells it nothing", {}, async (group, keep) => {
  const alice = keep(new Person(group.address));
  const ops: GroupOp[] = ["leave", "members", "subscribe", "typing", "read", "invite"];
  for (const op of ops) {
    await assert.rejects(alice.ask(op), refused("not_member"), op);
  }
  await assert.rejects(alice.say("no"), refused("not_member"));
  await assert.rejects(alice.ask("act", { action: "topic", topic: "t" }), refused("forbidden"));
  const { head, hash } = await alice.ask("ping");
  assert.deepEqual([head, hash, alice.proved!.head, alice.proved!.role], [0, undefined, 0, null]);
});

groupTest("cuts who was removed, and seals what comes after from it", founded, async (
  group,
  keep,
  founder,
) => {
  const boss = keep(new Person(group.address, { key: founder }));
  await boss.ask("join");
  const people = Array.from({ length: 3 }, () => keep(new Person(group.address)));
  for (const person of [boss, ...people]) {
    await person.ask("join");
    await person.ask("subscribe");
  }
  const [out, ...others] = people;
  await boss.say("for all");
  await out.heard("for all");
  const before = group.group.feed.follow({ feed: () => true, push: () => true });
  await boss.ask("act", { action: "remove", user: out.user });
  await until(() => out.gone.length > 0, 5_000, "the connection is cut");
  await boss.say("for the others");
  for (const other of [boss, ...others]) {
    await other.heard("for the others");
    assert.deepEqual(other.unreadable, []);
  }
  const after = group.group.feed.follow({ feed: () => true, push: () => true });
  assert.equal(after.generation, before.generation + 1);
  assert.notEqual(after.key, before.key);
  assert.deepEqual(out.texts, ["for all"]);
  // It comes back by itself, and is nobody.
  await until(() => out.proved?.role === null, 5_000, "it proved its key again");
  await assert.rejects(out.ask("subscribe"), refused("not_member"));
  await boss.ask("act", { action: "ban", user: others[0].user });
  await until(() => others[0].gone.length > 0, 5_000, "the banned is cut");
  await assert.rejects(others[0].ask("join"), refused("banned"));
});

groupTest("puts who leaves out of the feed, on all its connections", {}, async (group, keep) => {
  const key = newSigningKey();
  const [one, two] = [0, 1].map(() => keep(new Person(group.address, { key })));
  const stays = keep(new Person(group.address));
  for (const person of [one, two, stays]) {
    await person.ask("join");
    await person.ask("subscribe");
  }
  assert.equal(group.group.feed.followers, 3);
  await one.ask("leave");
  await stays.say("after the leave");
  await stays.heard("after the leave");
  assert.equal(group.group.feed.followers, 1);
  assert.deepEqual([one.texts, two.texts, one.gone, two.gone], [[], [], [], []]);
  await two.ask("join");
  await two.ask("subscribe");
  await stays.say("back");
  await two.heard("back");
  await two.ask("unsubscribe");
  await stays.say("not for two");
  await stays.heard("not for two");
  assert.deepEqual(two.texts, ["back"]);
});

groupTest("takes no message twice from who left and came back", {}, async (group, keep) => {
  const alice = keep(new Person(group.address));
  await alice.ask("join");
  const [first, second, third]: Message[] = [[mid(), "1"], [mid(), "2"], [mid(), "3"]];
  const [{ from }] = await alice.send(first, third);
  await alice.ask("leave");
  await assert.rejects(alice.send(first), refused("not_member"));
  await alice.ask("join");
  assert.equal(group.group.state.lastMid.size, 0);
  const again = await alice.send(first, second, third);
  assert.deepEqual(again.map(({ from, duplicate }) => [from, duplicate ?? false]), [
    [from, true],
    [from + 4, false],
    [from + 1, true],
  ]);
  // All of it in one commit, without a wait for any answer.
  const [fourth]: Message[] = [[mid(), "4"]];
  const results = await Promise.all([
    alice.send(fourth),
    alice.ask("leave"),
    alice.ask("join"),
    alice.send(fourth),
  ]);
  const [[sent], , , [repeated]] = results as unknown as { from: number; duplicate?: boolean }[][];
  assert.deepEqual([repeated.from, repeated.duplicate], [sent.from, true]);
});

groupTest("that is private lets in its founder and who has an invite", (founder) => ({
  ...founded(founder),
  access: "private",
}), async (group, keep, founder) => {
  const boss = keep(new Person(group.address, { key: founder }));
  assert.equal((await boss.ask("join")).role, "founder");
  const guest = keep(new Person(group.address));
  await assert.rejects(guest.ask("join"), refused("forbidden"));
  const { token, record } = await boss.ask("invite", { role: "reader" });
  assert.deepEqual(record, group.record());
  await assert.rejects(guest.ask("join", { invite: "x".repeat(22) }), refused("bad_invite"));
  assert.equal((await guest.ask("join", { invite: token })).role, "reader");
  assert.equal((await guest.ask("join", { invite: token })).role, "reader", "the answer was lost");
  const late = keep(new Person(group.address));
  await assert.rejects(late.ask("join", { invite: token }), refused("bad_invite"));
  await assert.rejects(guest.say("readers only read"), refused("forbidden"));
});

groupTest("has wrong invites wait, whoever brings them", {
  access: "private",
}, async (group, keep) => {
  const people = Array.from({ length: 6 }, () => keep(new Person(group.address)));
  const wrong = (i: number) => ({ invite: `${i}`.padStart(22, "x") });
  const codes = await Promise.all(
    people.flatMap((person) =>
      Array.from(
        { length: 20 },
        (_, i) => person.ask("join", wrong(i)).then(() => "ok", (error) => (error as Refusal).code),
      )
    ),
  );
  const refusals = codes.filter((code) => code === "bad_invite").length;
  assert.ok(refusals >= 100 && refusals < 120, String(refusals));
  assert.equal(codes.filter((code) => code === "rate_limited").length, 120 - refusals);
});

groupTest("gives no other budget to who begins a session anew", {}, async (group, keep) => {
  const session = keep(await RawSession.open(group.address));
  const key = newSigningKey();
  const sig = (transcript: string) => key.sign(proofText(transcript));
  await session.ask("prove", { key: key.publicKey, name: "a", sig: sig(session.transcript) });
  await assert.rejects(async () => {
    for (let i = 0; i < 250; i++) await session.ask("ping");
  }, refused("rate_limited"));
  await session.shake();
  let more = 0;
  await assert.rejects(async () => {
    for (; more < 250; more++) await session.ask("ping");
  }, refused("rate_limited"));
  assert.ok(more < 100, `${more} more`);
});

groupTest("cuts the oldest connection of a user with more than 64", {}, async (group, keep) => {
  const key = newSigningKey();
  const first = keep(new Person(group.address, { key }));
  await first.ask("join");
  const others = Array.from({ length: 63 }, () => keep(new Person(group.address, { key })));
  await Promise.all(others.map((one) => one.client.opened(10_000)));
  assert.deepEqual(first.gone, []);
  const last = keep(new Person(group.address, { key }));
  await last.client.opened(10_000);
  await until(() => first.gone.length > 0, 5_000, "the oldest is cut");
  assert.equal(group.group.presence.of(last.user).length <= 64, true);
  await last.say("and the newest serves");
});

groupTest("gives a ticket that its own handshakes know", {}, async (group, keep) => {
  const alice = keep(new Person(group.address));
  await alice.client.opened();
  const ticket = ticketBytes(String(alice.proved!.ticket))!;
  const again = keep(new Person(group.address, { key: alice.key, ticket }));
  await again.client.opened();
  assert.equal(group.accounts.counts.get("handshake: its ticket is not good"), undefined);
  const other = keep(new Person(group.address, { ticket: new Uint8Array(52) }));
  await other.client.opened();
  assert.equal(group.accounts.counts.get("handshake: its ticket is not good"), 1);
});

/** A program of dialect 002: a REQ socket, one JSON frame each way. */
class Plain implements AsyncDisposable {
  readonly #channel: Channel;
  #answer: (frames: Frames) => void = () => {};
  readonly #connected: Promise<void>;

  constructor(address: string) {
    let connected = () => {};
    this.#connected = new Promise((resolve) => (connected = resolve));
    this.#channel = transport.connect({
      address,
      type: "REQ",
      onMessage: (frames) => this.#answer(frames),
      onConnected: () => connected(),
    });
  }

  async ask(request: object): Promise<{ response: string; messages?: { message: string }[] }> {
    await this.#connected;
    let answer: Frames | undefined;
    this.#answer = (frames) => (answer = frames);
    this.#channel.send([JSON.stringify(request)]);
    const [json] = await until(() => answer, 5_000, "an answer");
    return JSON.parse(new TextDecoder().decode(json));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#channel.close();
  }
}

groupTest("with --plain serves dialect 002 at the same port", { plain: true }, async (
  group,
  keep,
) => {
  const [alice, old] = [keep(new Person(group.address)), keep(new Plain(group.address))];
  await alice.ask("join");
  await alice.ask("subscribe");
  const claim = { user_uuid: "old-1" };
  assert.equal((await old.ask({ action: "joinGroup", ...claim })).response, "SUCCESS");
  const text = "long ".repeat(10_000);
  const again = keep(new Plain(group.address)); // A long message comes first on it.
  const sent = await again.ask({ action: "sendMessage", message: text, ...claim });
  assert.equal(sent.response, "SUCCESS");
  await alice.heard(text);
  await alice.say("hello, old one");
  const { messages } = await old.ask({ action: "getMessage", timestamp: null, ...claim });
  assert.deepEqual(messages!.map(({ message }) => message), [text, "hello, old one"]);
  assert.equal((await old.ask({ action: "nothing", ...claim })).response, "FAILED");
  assert.equal((await old.ask({ action: "leaveGroup", ...claim })).response, "SUCCESS");
  assert.ok([...group.group.state.members.keys()].every((user) => !isClaimed(user)));
});

groupTest("gives a connection that claims many ids what one of them would have", {
  plain: true,
  options: { rates: { ...DEFAULT_RATES, others: 10 } },
}, async (group, keep) => {
  const [many, other] = [keep(new Plain(group.address)), keep(new Plain(group.address))];
  const join = (plain: Plain, id: number) =>
    plain.ask({ action: "joinGroup", user_uuid: `old-${id}` });
  const answers: string[] = [];
  for (let id = 0; id < 6; id++) answers.push((await join(many, id)).response);
  assert.deepEqual(answers.slice(0, 4), Array(4).fill("SUCCESS"));
  assert.ok(answers.includes("FAILED"));
  assert.equal((await join(other, 9)).response, "SUCCESS");
});

groupTest("with --plain makes one page at a time for a connection", { plain: true }, async (
  group,
  keep,
) => {
  const claim = { user_uuid: "old-1" };
  await keep(new Plain(group.address)).ask({ action: "joinGroup", ...claim });
  const { log } = group.group;
  const read = log.read.bind(log);
  let [now, most] = [0, 0];
  log.read = (...range) => {
    most = Math.max(most, ++now);
    return read(...range).finally(() => now--);
  };
  const peer = keep(new RawPeer(group.address));
  await peer.connected();
  const ask = { action: "getMessage", timestamp: null, ...claim };
  for (let i = 0; i < 100; i++) peer.send("", JSON.stringify(ask));
  for (let i = 0; i < 100; i++) await peer.next();
  assert.equal(most, 1);
});

groupTest("without --plain answers a dialect FAILED", {}, async (group, keep) => {
  const old = keep(new Plain(group.address));
  const { response } = await old.ask({ action: "joinGroup", user_uuid: "old-1" });
  assert.equal(response, "FAILED");
  assert.equal(group.group.state.members.size, 0);
});

groupTest("goes on when what it logs to fails", {
  options: {
    logger: {
      info() {
        throw new Error("the logger broke");
      },
      warn() {
        throw new Error("the logger broke");
      },
    },
  },
}, async (group, keep) => {
  const alice = keep(new Person(group.address));
  await alice.ask("join");
  await alice.say("heard all the same");
});

test("a group that is to keep a part of its log does not start on one that cannot drop", async () => {
  const log = Object.assign(memoryLog(), { power: () => undefined });
  await assert.rejects(startGroup({ options: { log, keep: { entries: 3 } } }), {
    name: "UsageError",
    message: /^Cannot keep the newest entries only: .*"memory"/,
  });
});

test("a group answers what it accepted before it closes, and takes nothing more", () =>
  closing(async (keep) => {
    const group = await startGroup({ options: { rates: ratesFor(Infinity) } });
    const alice = keep(new Person(group.address));
    await alice.ask("join");
    const text = "x".repeat(500);
    const request = () => Array.from({ length: 256 }, (): Message => [mid(), text]);
    const asked = Array.from({ length: 100 }, () => alice.send(...request()));
    const settled = Promise.allSettled(asked);
    await until(() => group.group.head > 2, 5_000, "it writes");
    await group.close();
    const accepted = (await settled).filter(({ status }) => status === "fulfilled").length;
    // Each that was written was answered, and nothing was written behind the end.
    assert.equal(2 + accepted * 256, group.group.head);
    assert.equal(group.group.state.head, group.group.head);
    assert.equal(await group.stopped, undefined);
    await assert.rejects(alice.client.request("ping", {}, 200));
  }));
