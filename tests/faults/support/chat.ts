/** Members in this process: senders that note every acknowledgement, followers that note all. */

import { setTimeout } from "node:timers/promises";
import { Closed } from "../../../lib/errors.ts";
import { connect, type User } from "../../../mod.ts";
import type { Held, Ledger } from "./audit.ts";
import type { Fault } from "./fault.ts";

/** A member that sends numbered texts until it is stopped. */
export class Sender {
  readonly user: User;
  readonly #group: string;
  readonly #ledger: Ledger;
  readonly #pace: () => number;
  #n = 0;
  #stopped = false;
  #loops: Promise<void>[] = [];
  /** Called at each acknowledgement, with how long it took, ms. */
  onAck: (ms: number) => void = () => {};

  constructor(user: User, group: string, ledger: Ledger, pace: () => number) {
    this.user = user;
    this.#group = group;
    this.#ledger = ledger;
    this.#pace = pace;
  }

  /** Begins, with `window` messages under way at a time. */
  start(window = 2): void {
    this.#loops = Array.from({ length: window }, () => this.#run());
    for (const loop of this.#loops) loop.catch(() => {}); // It is looked at in `stop`.
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const text = `${this.user.name}-${++this.#n} ${"x".repeat(this.#n % 200)}`;
      this.#ledger.tried(text);
      const begin = performance.now();
      try {
        const { mid, seq } = await this.user.send(this.#group, text, { within: Infinity });
        this.#ledger.ack(mid, seq, text);
        this.onAck(performance.now() - begin);
      } catch (error) {
        if (!(error instanceof Closed)) throw error;
        return;
      }
      const pause = this.#pace();
      if (pause > 0) await setTimeout(pause);
    }
  }

  /** No new messages; resolves when all that were sent are acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}

/** A member that follows a group from its first entry and notes the messages. */
export class Follower {
  readonly user: User;
  readonly seen: Held[] = [];
  head = 0;
  readonly #stop = new AbortController();
  #done: Promise<void> | undefined;

  constructor(user: User) {
    this.user = user;
  }

  start(group: string): void {
    this.#done = this.#run(group);
  }

  async #run(group: string): Promise<void> {
    const { signal } = this.#stop;
    for await (const { seq, at, mid, text } of this.user.follow(group, { after: 0, signal })) {
      this.head = seq;
      if (mid !== undefined) this.seen.push({ seq, at, mid, text: text! });
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** Whether it saw as far as anything was acknowledged. */
  hasAll(ledger: Ledger): boolean {
    return this.head >= ledger.head;
  }

  /** Whether it saw exactly what the log holds. */
  check(held: readonly Held[], fault: Fault): void {
    const same = this.seen.length === held.length &&
      this.seen.every(({ seq, mid, text }, i) =>
        seq === held[i].seq && mid === held[i].mid && text === held[i].text
      );
    fault.expect(
      same,
      `${this.user.name} saw ${this.seen.length} messages up to ${this.head}, ` +
        `the log holds ${held.length}: not the same sequence`,
    );
  }
}

/** Users who have joined a group; closed with the fault. */
export async function joined(
  fault: Fault,
  registries: readonly string[],
  group: string,
  names: readonly string[],
): Promise<User[]> {
  return await Promise.all(names.map(async (name) => {
    const user = await connect({ name, registries });
    fault.onClose(() => user.close());
    await user.join(group);
    return user;
  }));
}

/** Names with numbers: `sender 1`, `sender 2`, … */
export function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name} ${i + 1}`);
}
