import assert from "node:assert/strict";
import { test } from "node:test";
import { Group, Registry, type User } from "../../mod.ts";
import { KIND } from "../../lib/session/packet.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { dice } from "../support/random.ts";
import { closing, until } from "../support.ts";
import { Ear, groupProcess, type Keep, member, upTo, userOver } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { ENGINES, Folder, over } from "./world.ts";

async function labWith(keep: Keep, names: string[], engines = ENGINES[0]) {
  const transport = engines.servers;
  const registry = keep(await Registry.start({ port: 0, transport }));
  const registries = [registry.address];
  const lab = keep(await Group.start({ name: "Lab", registries, rate: Infinity, transport }));
  const users: User[] = [];
  for (const name of names) {
    const user = keep(await member(registries, name, undefined, engines.users));
    await user.join("Lab");
    users.push(user);
  }
  return { registries, lab, users };
}

async function sendAll(user: User, texts: string[], together = 64): Promise<void> {
  for (let i = 0; i < texts.length; i += together) {
    await Promise.all(
      texts.slice(i, i + together).map((text) => user.send("Lab", text, { within: Infinity })),
    );
  }
}

/**
 * A member who goes away after so many entries, and comes back with what is kept in its home,
 * until it has heard everything.
 */
async function restless(
  keep: Keep,
  { registries, name, random, whole, transport }: {
    registries: string[];
    name: string;
    transport: string;
    random: (n: number) => number;
    /** The last seq. */
    whole: number;
  },
): Promise<{ over: Promise<{ seqs: number[]; comings: number }> }> {
  const home = keep(new Folder()).path;
  const first = await member(registries, name, home, transport);
  await first.join("Lab");
  await first.close();
  const come = async (seqs: number[]) => {
    const user = await member(registries, name, home, transport);
    try {
      // By count and not by time, so that nobody has heard everything before it went away once.
      let left = 50 + random(400);
      const closes = random(2) === 0;
      // Never where an entry is left out; partition measures how soon a hole is filled.
      const signal = AbortSignal.timeout(30_000);
      for await (const { seq, epoch } of user.follow("Lab", { signal })) {
        seqs.push(seq);
        user.seen("Lab", seq, epoch);
        if (--left > 0 && seqs.length !== whole) continue;
        if (!closes) break;
        await user.close();
      }
      assert.ok(!signal.aborted, `heard ${seqs.length} of ${whole} in time`);
    } finally {
      await user.close();
    }
  };
  const over = (async () => {
    const seqs: number[] = [];
    let comings = 0;
    for (; seqs.length !== whole; comings++) await come(seqs);
    return { seqs, comings };
  })();
  over.catch(() => {}); // looked at in the end
  return { over };
}

/** `user.ts follow` killed after so many lines, and started again after the last one it printed. */
async function killed(
  keep: Keep,
  { registry, random, whole, transport }: {
    registry: string;
    random: (n: number) => number;
    whole: number;
    transport: string;
  },
): Promise<{ over: Promise<{ seqs: number[]; comings: number }> }> {
  const home = keep(new Folder()).path;
  const options = ["--registry", registry, "--home", home, "--transport", transport];
  const join = keep(new Process(ours("user.ts", "join", "Lab", "--name", "process", ...options)));
  assert.equal((await join.end(20_000)).code, 0, join.output);
  const over = (async () => {
    const seqs: number[] = [];
    let comings = 0;
    for (; seqs.length !== whole; comings++) {
      const after = ["--after", String(seqs.at(-1) ?? 0), "--json"];
      await using follow = new Process(ours("user.ts", "follow", "Lab", ...after, ...options));
      for (let left = 200 + random(600); left > 0 && seqs.length !== whole; left--) {
        seqs.push(JSON.parse(await follow.line(/seq/)).seq);
      }
      follow.signal("SIGKILL");
    }
    return { seqs, comings };
  })();
  over.catch(() => {});
  return { over };
}

for (const engines of ENGINES) {
  const { servers, users: transport } = engines;
  test(`live: members who come and go and a group that is killed end with one whole sequence${over(engines)}`, () =>
    closing(async (keep) => {
      const random = dice(7);
      const { path } = keep(new Folder());
      const registry = keep(await Registry.start({ port: 0, transport: servers }));
      const registries = [registry.address];
      const options = ["--rate", "100000", "--transport", servers];
      const start = () => groupProcess(keep, path, registry.address, ...options);
      let group = await start();
      const alice = keep(await member(registries, "alice", undefined, transport));
      await alice.join("Lab");
      const steady = keep(new Ear(alice, "Lab", { after: 0 }));

      const texts = upTo(1_500).map((n) => `t${n}`);
      // Founded, the six who joined, and what is sent.
      const whole = 1 + 6 + texts.length;
      const others = [await killed(keep, { registry: registry.address, random, whole, transport })];
      for (const name of ["bob", "carol", "dave", "erin"]) {
        others.push(await restless(keep, { registries, name, random, whole, transport }));
      }
      const sending = sendAll(alice, texts, 16);
      for (const part of [0.2, 0.5, 0.8]) {
        await steady.hears(texts[Math.floor(texts.length * part)]);
        group.signal("SIGKILL");
        await group.ended;
        group = await start();
      }
      await sending;
      await steady.hears(texts.at(-1)!);
      assert.deepEqual(steady.texts, texts);
      assert.deepEqual(steady.seqs, upTo(whole));
      for (const { over } of others) {
        const { seqs, comings } = await over;
        assert.deepEqual(seqs, upTo(whole));
        assert.ok(comings > 1, "came back");
      }
    }));

  test(`live: who follows while many send hears the log's own order, each entry once${over(engines)}`, () =>
    closing(async (keep) => {
      const { users } = await labWith(keep, ["alice", "bob", "carol"], engines);
      const ears = users.map((user) => keep(new Ear(user, "Lab", { after: 0 })));
      await Promise.all(
        users.map((user) => sendAll(user, upTo(100).map((n) => `${user.name} ${n}`), 5)),
      );
      const log = await Array.fromAsync(users[0].read("Lab"));
      for (const ear of ears) {
        await until(() => ear.heard.length >= log.length, 10_000, "all entries");
        assert.deepEqual(ear.heard, log);
      }
    }));
}

/** Loses some packets of the live feed on their way in. */
function lossy(loses: (packet: Uint8Array) => boolean, lost: { messages: number }): Transport {
  const whole = zmtpTransport();
  return {
    name: whole.name,
    watchful: whole.watchful,
    serve: (options) => whole.serve(options),
    connect: (options) =>
      whole.connect({
        ...options,
        onMessage: (frames) => {
          if (frames[1]?.[0] === KIND.feed && loses(frames[1])) lost.messages++;
          else options.onMessage(frames);
        },
      }),
  };
}

/** A packet that tells the head is shorter than any with a batch: that has a key and a signature. */
const HEAD_BYTES = 160;

for (
  const [what, loses] of [
    ["some of it", (random: (n: number) => number) => random(3) === 0],
    ["all but the head", (_: unknown, packet: Uint8Array) => packet.length > HEAD_BYTES],
  ] as const
) {
  test(`live: what the feed loses is read from the log, in its place: ${what}`, () =>
    closing(async (keep) => {
      const { users: [alice], registries } = await labWith(keep, ["alice"]);
      const lost = { messages: 0 };
      const random = dice(3);
      const transport = lossy((packet) => loses(random, packet), lost);
      const bob = keep(userOver({ transport, registries, name: "bob" }));
      await bob.join("Lab");
      const ear = keep(new Ear(bob, "Lab", { after: 0 }));
      await until(() => ear.heard.length === 3, 5_000, "what is there");
      const texts = upTo(500).map((n) => `t${n}`);
      await sendAll(alice, texts, 3);
      await ear.hears("t500", 2_500); // the head comes once a second
      assert.deepEqual(ear.texts, texts);
      assert.deepEqual(ear.seqs, upTo(ear.heard.length));
      assert.ok(lost.messages > 20, `${lost.messages} lost`);
    }));
}

test("live: a consumer that lets far more than its buffer pass gets everything", () =>
  closing(async (keep) => {
    const { users: [alice, bob] } = await labWith(keep, ["alice", "bob"]);
    const stop = new AbortController();
    const entries = bob.follow("Lab", { after: 0, signal: stop.signal });
    await entries.next();
    const texts = upTo(300).map((n) => `${n} ${"x".repeat(30_000)}`);
    await sendAll(alice, texts, 30);
    const heard: string[] = [];
    for await (const { text } of entries) {
      if (text) heard.push(text);
      if (heard.length === texts.length) break;
    }
    assert.deepEqual(heard, texts);
    stop.abort();
  }));

test("live: ten thousand missed messages come complete and in order", (t) =>
  closing(async (keep) => {
    const { users: [alice], registries } = await labWith(keep, ["alice"]);
    const home = keep(new Folder()).path;
    const first = await member(registries, "bob", home);
    await first.join("Lab");
    const cursor = (await Array.fromAsync(first.read("Lab"))).length;
    first.seen("Lab", cursor);
    await first.close();
    await sendAll(alice, upTo(10_000).map((n) => `t${n}`), 256);

    const begun = performance.now();
    const bob = keep(await member(registries, "bob", home));
    const ear = keep(new Ear(bob, "Lab"));
    await ear.hears("t10000");
    t.diagnostic(`connected and heard 10,000 in ${(performance.now() - begun).toFixed()} ms`);
    assert.deepEqual(ear.seqs, upTo(10_000).map((n) => cursor + n));
    assert.deepEqual(ear.texts, upTo(10_000).map((n) => `t${n}`));
    const { cursor: seen } = bob.joined()[0];
    assert.equal(seen, cursor + 10_000);
  }));
