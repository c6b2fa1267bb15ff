/**
 * Do subscribers that come and go, and a group that is killed, end with one whole sequence?
 * Run by `bench/soak.ts --live`.
 *
 * One sender, 100 subscribers, 20,000 messages. Subscribers in this process are closed or aborted
 * at random and come back with what their home keeps; some are processes that are killed and come
 * back after the last line they printed. The group is a process that is killed three times.
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { connect, type GroupEntry, type User } from "../mod.ts";
import { endWithUs, pause, type Running, start, temporaryFolder, usage } from "./processes.ts";
import { Screen } from "./screens.ts";
import { deno, NAME } from "./servers.ts";

const MESSAGES = Number(process.env.ZGROUP_SOAK_MESSAGES ?? 20_000);
const SUBSCRIBERS = 100;
const PROCESSES = 4;
/** Messages that the sender has under way at most. */
const WINDOW = 64;
/** A soak ends after this long, whatever happens, ms. */
const LIMIT = 600_000;

const random = (n: number) => Math.floor(Math.random() * n);

/** What one subscriber heard: its order, and a hash of everything. */
class Heard {
  last = 0;
  wrong = 0;
  comings = 0;
  readonly #hash = createHash("sha256");

  add({ seq, text }: { seq: number; text?: string }): void {
    if (seq !== this.last + 1) this.wrong++;
    this.last = seq;
    this.#hash.update(`${seq} ${text ?? ""}\n`);
  }

  digest(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }
}

/** In this process: comes, hears, goes, until it has everything. */
async function comeAndGo(home: string, registries: string[], heard: Heard, whole: () => number) {
  const end = Date.now() + LIMIT;
  while (heard.last !== whole() && Date.now() < end) {
    heard.comings++;
    const user: User = await connect({ home, registries });
    const stop = new AbortController();
    try {
      const closes = random(2) === 0;
      let left = 200 + random(4_000);
      const leave = async () => {
        if (closes) await user.close();
        else stop.abort();
      };
      // Not only between two entries: also when nothing comes.
      const timer = setTimeout(() => void leave(), 500 + random(20_000));
      const watch = setInterval(() => {
        if (heard.last === whole()) void leave();
      }, 200);
      for await (const entry of user.follow(NAME, { signal: stop.signal })) {
        heard.add(entry as GroupEntry);
        user.seen(NAME, entry.seq, entry.epoch);
        if (--left === 0 || entry.seq === whole()) await leave();
      }
      clearTimeout(timer);
      clearInterval(watch);
    } finally {
      await user.close();
    }
  }
}

/** As a process: is killed, and comes back after the last line it printed. */
async function killAndStart(home: string, registry: string, heard: Heard, whole: () => number) {
  const end = Date.now() + LIMIT;
  while (heard.last !== whole() && Date.now() < end) {
    heard.comings++;
    let alive = true;
    const show = (shown: { seq: number }) => {
      if (alive) heard.add(shown);
    };
    const options = { registry, group: NAME, home, after: heard.last, show };
    await using _screen = await Screen.open(options);
    const until = Date.now() + 2_000 + random(10_000);
    while (Date.now() < until && heard.last !== whole()) await pause(50);
    alive = false;
  }
}

/** The soak; true when nothing is missing, twice or out of order. */
export async function liveSoak(): Promise<boolean> {
  endWithUs();
  const begun = performance.now();
  await using folder = await temporaryFolder();
  const home = (name: string) => `${folder.path}/${name}`;
  await using registry = await start({
    command: deno("registry.ts", "--port", "0", "--home", home("registry")),
    folder: folder.path,
    ready: /listens on (\S+:\d+)/,
  });
  const address = registry.ready[1];
  const startGroup = (): Promise<Running> =>
    start({
      command: deno(
        ...["group.ts", NAME, "127.0.0.1:0", "--registry", address, "--home", home("group")],
        ...["--rate", "off", "--quiet"],
      ),
      folder: folder.path,
      ready: /listens on (\S+:\d+)/,
    });
  let group = await startGroup();
  await using alice = await connect({ name: "alice", registries: [address] });
  await alice.join(NAME);

  const all = Array.from({ length: SUBSCRIBERS }, () => new Heard());
  for (const [i] of all.entries()) {
    await using user = await connect({
      name: `s${i}`,
      registries: [address],
      home: home(`s${i}`),
    });
    await user.join(NAME);
  }
  let head = -1;
  const whole = () => head;
  const running = all.map((heard, i) =>
    i < PROCESSES
      ? killAndStart(home(`s${i}`), address, heard, whole)
      : comeAndGo(home(`s${i}`), [address], heard, whole)
  );

  let sent = 0;
  let kills = 0;
  let lastSeq = 0;
  const waiting = new Set<Promise<void>>();
  let memory = 0;
  while (sent < MESSAGES) {
    if (waiting.size >= WINDOW) await Promise.race(waiting);
    const one: Promise<void> = alice
      .send(NAME, `message ${++sent}`, { within: Infinity })
      .then(({ seq }) => {
        lastSeq = Math.max(lastSeq, seq);
        waiting.delete(one);
      });
    waiting.add(one);
    if (sent % 16 === 0) await pause(20);
    if (sent % 500 === 0) memory = Math.max(memory, usage(group.pid).memory);
    if (sent === Math.floor(MESSAGES * (kills + 1) / 4) && kills < 3) {
      kills++;
      Deno.kill(group.pid, "SIGKILL");
      await group[Symbol.asyncDispose]();
      group = await startGroup();
    }
  }
  await Promise.all(waiting);
  const sentIn = performance.now() - begun;
  head = lastSeq;
  await Promise.all(running);
  const expected = new Heard();
  for await (const entry of alice.read(NAME)) expected.add(entry);
  await group[Symbol.asyncDispose]();

  const digest = expected.digest();
  const same = all.filter((heard) => heard.digest() === digest).length;
  const wrong = all.reduce((sum, heard) => sum + heard.wrong, 0);
  const comings = all.reduce((sum, heard) => sum + heard.comings, 0);
  console.log(
    `${MESSAGES} messages, ${SUBSCRIBERS} subscribers (${PROCESSES} of them processes), ` +
      `${comings - SUBSCRIBERS} kills and returns of subscribers, ${kills} kills of the group`,
  );
  console.log(
    `sent in ${(sentIn / 1_000).toFixed(1)} s, all ended after ` +
      `${
        ((performance.now() - begun) / 1_000).toFixed(1)
      } s; the log has ${expected.last} entries, ` +
      `${expected.wrong} out of order; the group took up to ${memory.toFixed(0)} MiB`,
  );
  console.log(
    `${same} of ${SUBSCRIBERS} ended with its sequence (${digest}), ${wrong} out of order`,
  );
  return same === SUBSCRIBERS && wrong === 0 && expected.wrong === 0;
}
