/**
 * `deno run -A bench/soak.ts [REQUESTS]`: do requests survive clients that come and go?
 * `--live` does the same for followers: see `live_soak.ts`.
 *
 * 100 clients ask a server 200,000 times in all, 16 at a time each, over several high-water marks.
 * Every now and then a client closes its channel in the middle of its requests and opens another;
 * requests whose answer was under way are then sent again with the same id.
 *
 * A violation, and exit code 1: a request that is lost (no answer within 10 s although it was sent
 * again every 250 ms), an answer with another body than its request, an answer to
 * nobody's request, or a stall (no answer at all for any client during 1 s).
 */

import process from "node:process";
import { watcherCounters } from "../lib/transport/readiness.ts";
import { socketCounters } from "../lib/transport/socket.ts";
import type { Channel, Server } from "../lib/transport/transport.ts";
import { zmqTransport } from "../lib/transport/zmq.ts";

const REQUESTS = Number(process.argv[2] ?? 200_000);
const CLIENTS = 100;
const WINDOW = 16;
const HIGH_WATER_MARKS = [1, 10, 1_000, 10_000];
/** One of so many answers makes its client vanish. */
const VANISH = 200;
/** One of so many requests carries 256 KiB. */
const BIG = 2_000;
const STALL_MS = 1_000;
const LOST_MS = 10_000;
const RETRY_MS = 250;

const transport = zmqTransport();
const big = "x".repeat(262_144);

interface Tally {
  answered: number;
  again: number;
  vanished: number;
  wrong: number;
  lost: number;
  worstPause: number;
}

/** A request under way: its body, when it was first sent, and when it is due again. */
interface Asked {
  readonly body: string;
  readonly since: number;
  due: number;
}

class Client {
  readonly #address: string;
  readonly #tally: Tally;
  readonly #next: () => number | undefined;
  readonly #highWaterMark: number;
  readonly #asked = new Map<string, Asked>();
  readonly #done = new Set<string>();
  #channel: Channel;

  constructor(
    address: string,
    highWaterMark: number,
    tally: Tally,
    next: () => number | undefined,
  ) {
    this.#address = address;
    this.#highWaterMark = highWaterMark;
    this.#tally = tally;
    this.#next = next;
    this.#channel = this.#open();
    for (let n = 0; n < WINDOW; n++) this.#ask();
  }

  get waiting(): number {
    return this.#asked.size;
  }

  /** Sends again what is due; a request that waits too long is lost. */
  retry(now: number): void {
    for (const [id, asked] of this.#asked) {
      if (now - asked.since > LOST_MS) {
        this.#tally.lost++;
        this.#asked.delete(id);
      } else if (now > asked.due) {
        this.#send(id, asked, now);
      }
    }
  }

  close(): Promise<void> {
    return this.#channel.close();
  }

  #open(): Channel {
    const channel = transport.connect({
      address: this.#address,
      highWaterMark: this.#highWaterMark,
      onMessage: ([id, body]) => {
        if (channel === this.#channel) this.#receive(`${id}`, `${body}`);
        else this.#tally.wrong++; // delivered after close
      },
    });
    return channel;
  }

  #ask(): void {
    const number = this.#next();
    if (number === undefined) return;
    const now = performance.now();
    const body = number % BIG === 0 ? big : `body of ${number}`;
    const asked = { body, since: now, due: now + RETRY_MS };
    this.#asked.set(`${number}`, asked);
    this.#channel.send([`${number}`, body]);
  }

  #send(id: string, asked: Asked, now: number): void {
    this.#tally.again++;
    this.#channel.send([id, asked.body]);
    asked.due = now + RETRY_MS;
  }

  #receive(id: string, body: string): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) {
      if (!this.#done.has(id)) this.#tally.wrong++;
      return; // the second answer to what was sent twice
    }
    if (asked.body !== body) this.#tally.wrong++;
    this.#asked.delete(id);
    this.#done.add(id);
    this.#tally.answered++;
    this.#ask();
    if (this.#tally.answered % VANISH === 0) this.#vanish();
  }

  #vanish(): void {
    this.#tally.vanished++;
    void this.#channel.close();
    this.#channel = this.#open();
    const now = performance.now();
    for (const [id, asked] of this.#asked) this.#send(id, asked, now);
  }
}

async function soak(highWaterMark: number, requests: number): Promise<Tally> {
  const tally = { answered: 0, again: 0, vanished: 0, wrong: 0, lost: 0, worstPause: 0 };
  const server: Server = await transport.serve({
    address: "127.0.0.1:0",
    highWaterMark,
    onMessage: (peer, frames) => void server.send(peer, frames),
  });
  let given = 0;
  const next = () => given < requests ? given++ : undefined;
  const clients = Array.from(
    { length: CLIENTS },
    () => new Client(server.address, highWaterMark, tally, next),
  );
  let [seen, since] = [0, performance.now()];
  const start = since;
  while (tally.answered + tally.lost < requests) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = performance.now();
    if (tally.answered !== seen) [seen, since] = [tally.answered, now];
    tally.worstPause = Math.max(tally.worstPause, now - since);
    for (const client of clients) client.retry(now);
  }
  const seconds = (performance.now() - start) / 1_000;
  for (const client of clients) await client.close();
  await server.close();
  print(`high-water mark ${highWaterMark}`, tally, seconds);
  return tally;
}

function print(what: string, tally: Tally, seconds: number): void {
  const { answered, again, vanished, wrong, lost, worstPause } = tally;
  const { rss } = process.memoryUsage();
  console.log(
    `${what}: ${answered} answered, ${Math.round(answered / seconds)}/s, ${vanished} vanished, ` +
      `${again} sent again, ${lost} lost, ${wrong} wrong, longest pause ${
        Math.round(worstPause)
      } ms, ${socketCounters.refused} replies refused, ${watcherCounters.rescued} rescued, ` +
      `${Math.round(rss / 1_048_576)} MiB`,
  );
}

if (process.argv.includes("--live")) {
  const { liveSoak } = await import("./live_soak.ts");
  const sound = await liveSoak();
  if (!sound) console.log("VIOLATED");
  process.exit(sound ? 0 : 1);
}

const start = performance.now();
const total: Tally = { answered: 0, again: 0, vanished: 0, wrong: 0, lost: 0, worstPause: 0 };
for (const highWaterMark of HIGH_WATER_MARKS) {
  const tally = await soak(highWaterMark, Math.ceil(REQUESTS / HIGH_WATER_MARKS.length));
  for (const key of Object.keys(total) as (keyof Tally)[]) {
    total[key] = key === "worstPause" ? Math.max(total[key], tally[key]) : total[key] + tally[key];
  }
}
print("total", total, (performance.now() - start) / 1_000);
const sound = total.lost === 0 && total.wrong === 0 && total.worstPause <= STALL_MS;
if (!sound) console.log("VIOLATED");
process.exitCode = sound ? 0 : 1;
