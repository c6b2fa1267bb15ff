/**
 * A part of a crowd in a process of its own: users of the library who come and go, follow, and send.
 * Its options as JSON; `joined` when all are there, `try TEXT` before each message and `ack MID SEQ
 * TEXT` after. On standard input:
 *
 * - `flood N`: one member sends so many at once
 * - `rest`: nobody comes, goes or sends any more; `resting` when all is acknowledged
 * - `reach SEQ`: `reached` when every member was told the entry
 * - `count`: `counted` with a {@linkcode Count} as JSON
 * - `report FILE`: writes what they were told, see {@linkcode Report}; `reported`
 */

import { writeFileSync, writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { connect, type User } from "../../../mod.ts";
import { until } from "../../support.ts";

/** What the members of one process were told. */
export interface Report {
  /** By seq, the mid of a message or `-`; what nobody was told is null. */
  readonly told: (string | null)[];
  /** Entries that a member was told otherwise than another one. */
  readonly different: number;
  /** Entries that were left out between two that a member was told. */
  readonly gaps: number;
  /** Entries that a member was told again. */
  readonly again: number;
}

/** How the members of one process are, so far. */
export interface Count {
  readonly members: number;
  /** Entries that they were told, one for each of them. */
  readonly heard: number;
  /** Entries that one was told again, and that one was not told. */
  readonly again: number;
  readonly gaps: number;
  /** Members that were told something. */
  readonly told: number;
  /** The longest that one of those was told nothing: since the count before, ms. */
  readonly slowest: number;
}

/** Joins under way at once. */
const LANES = 16;
/** A member that could not join tries again after this long, ms. */
const AGAIN = 200;

const { registries, group, prefix, members, pace, turnover, waits = false } = JSON.parse(
  process.argv[2],
);
const say = (line: string) => writeSync(1, line + "\n");
const told: string[] = [];
let [different, gaps, again, heard, slowest] = [0, 0, 0, 0, 0];
let resting = false;
let came = 0;
let sent = 0;
const here: Member[] = [];
const working: Promise<unknown>[] = [];
let turning: Promise<void> = Promise.resolve();

/** One who is there. */
class Member {
  readonly #user: User;
  readonly #stop = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #sending: Promise<unknown> = Promise.resolve();
  /** Highest seq it was told. */
  last = 0;
  /** When it was told something last, ms; 0 before. */
  at = 0;

  static async come(): Promise<Member> {
    const user = await connect({ name: `${prefix} ${++came}`, registries });
    const member = new Member(user);
    const head = await member.head();
    if (!waits) member.begin(Math.max(0, head - 1));
    return member;
  }

  constructor(user: User) {
    this.#user = user;
  }

  /** Follows from the entry after `after` on. */
  begin(after: number): void {
    this.#following = this.#follow(after);
  }

  /** Joins, where it has not; how far the group is. */
  async head(): Promise<number> {
    for (;;) {
      try {
        return (await this.#user.join(group)).unread;
      } catch {
        await setTimeout(AGAIN * (1 + Math.random()));
      }
    }
  }

  async #follow(after: number): Promise<void> {
    const { signal } = this.#stop;
    for await (const { seq, mid = "-" } of this.#user.follow(group, { after, signal })) {
      if (this.last > 0 && seq > this.last + 1) gaps += seq - this.last - 1;
      if (this.last > 0 && seq <= this.last) again++;
      this.last = Math.max(this.last, seq);
      this.hear();
      heard++;
      told[seq] ??= mid;
      if (told[seq] !== mid) different++;
    }
  }

  /** It is told something, or how long it was not is looked at. */
  hear(now = performance.now()): void {
    if (this.at > 0) slowest = Math.max(slowest, now - this.at);
    this.at = now;
  }

  async send(): Promise<void> {
    const text = `${prefix}-${++sent} ${"x".repeat(sent % 200)}`;
    say(`try ${text}`);
    const sending = this.#user.send(group, text, { within: Infinity })
      .then(({ mid, seq }) => say(`ack ${mid} ${seq} ${text}`));
    this.#sending = Promise.all([this.#sending, sending]);
    await sending;
  }

  async go(): Promise<void> {
    await this.#sending;
    this.#stop.abort();
    await this.#following;
    await this.#user.leave(group).catch(() => {}); // The group may be down: it goes all the same.
    await this.#user.close();
  }
}

const any = () => here[Math.floor(Math.random() * here.length)];

async function gather(): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: LANES }, async () => {
    while (next++ < members) here.push(await Member.come());
  }));
  if (waits) {
    const head = await here[0].head();
    for (const member of here) member.begin(head);
  }
  say("joined");
}

async function talk(): Promise<void> {
  while (!resting) {
    await setTimeout(pace * (0.5 + Math.random()));
    if (!resting) working.push(any().send());
  }
}

async function turn(): Promise<void> {
  while (turnover > 0 && !resting) {
    await setTimeout(turnover * (0.5 + Math.random()));
    if (resting) return;
    const gone = here.splice(Math.floor(Math.random() * here.length), 1)[0];
    await Promise.all([gone.go(), Member.come().then((member) => here.push(member))]);
  }
}

const orders: Record<string, (word: string) => Promise<void>> = {
  flood: async (count) => {
    const member = any();
    for (let i = 0; i < Number(count); i++) working.push(member.send());
    await Promise.resolve();
  },
  rest: async () => {
    resting = true;
    await turning;
    await Promise.all(working);
    say("resting");
  },
  reach: async (seq) => {
    await until(() => here.every(({ last }) => last >= Number(seq)), 600_000, `entry ${seq}`);
    say("reached");
  },
  count: async () => {
    const now = performance.now();
    const talking = here.filter(({ at }) => at > 0);
    const longest = Math.max(slowest, ...talking.map(({ at }) => now - at));
    slowest = 0;
    const count: Count = {
      members: here.length,
      heard,
      again,
      gaps,
      told: talking.length,
      slowest: longest,
    };
    say(`counted ${JSON.stringify(count)}`);
    await Promise.resolve();
  },
  report: async (file) => {
    const all = Array.from(told, (mid) => mid ?? null);
    const report: Report = { told: all, different, gaps, again };
    writeFileSync(file, JSON.stringify(report));
    say("reported");
    await Promise.resolve();
  },
};

const input = createInterface({ input: process.stdin });
input.on("close", () => process.exit(1)); // Nobody is left who waits for it.
input.on("line", (line) => {
  const [order, ...words] = line.split(" ");
  void orders[order](words.join(" "));
});
await gather();
void talk();
turning = turn();
