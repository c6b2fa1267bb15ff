/** Live messages of every joined group: what was missed first, then as they come. */

import { Closed, Unreachable } from "../../errors.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import type { JoinedGroup } from "../../user/types.ts";
import type { User } from "../../user/user.ts";

/** Most missed entries that are shown. */
const MISSED_SHOWN = 10;

/** Who shows them. */
interface Watcher {
  show(group: JoinedGroup, entry: GroupEntry): void;
  missed(group: JoinedGroup, count: number, shown: number): void;
  failed(group: JoinedGroup, error: unknown): void;
}

/** What is asked of a user. */
type Watched = Pick<User, "read" | "follow" | "seen" | "joined" | "on">;

export class Watches {
  readonly #user: Watched;
  readonly #watcher: Watcher;
  readonly #open = new Map<string, AbortController>();

  constructor(user: Watched, watcher: Watcher) {
    this.#user = user;
    this.#watcher = watcher;
  }

  has(id: string): boolean {
    return this.#open.has(id);
  }

  /** Resolves when what was missed is shown, or cannot be had now; goes on in the background. */
  open(group: JoinedGroup): Promise<void> {
    if (this.#open.has(group.id)) return Promise.resolve();
    const stop = new AbortController();
    this.#open.set(group.id, stop);
    return new Promise((resolve) => {
      this.#run(group, stop.signal, resolve)
        .catch((error: unknown) => {
          const ended = stop.signal.aborted || error instanceof Closed;
          if (!ended) this.#watcher.failed(group, error);
        })
        .finally(() => {
          if (this.#open.get(group.id) === stop) this.#open.delete(group.id);
          resolve();
        });
    });
  }

  stop(id: string): void {
    this.#open.get(id)?.abort();
    this.#open.delete(id);
  }

  close(): void {
    for (const id of [...this.#open.keys()]) this.stop(id);
  }

  async #run(group: JoinedGroup, signal: AbortSignal, caughtUp: () => void): Promise<void> {
    for (;;) {
      const back = this.#returns(group, signal);
      try {
        await this.#catchUp(group);
        break;
      } catch (error) {
        if (!(error instanceof Unreachable) || signal.aborted) throw error;
        caughtUp();
        await back;
      }
    }
    caughtUp();
    // Ends also when the connection is made anew, after a change of name.
    while (!signal.aborted && this.#user.joined().some(({ id }) => id === group.id)) {
      for await (const entry of this.#user.follow(group.id, { signal })) {
        this.#watcher.show(group, entry);
        this.#user.seen(group.id, entry.seq, entry.epoch);
      }
    }
  }

  /** Shows the end of what was missed and moves the cursor past all of it. */
  async #catchUp(group: JoinedGroup): Promise<void> {
    const after = group.cursor;
    const missed: GroupEntry[] = [];
    const range = { after, limit: MISSED_SHOWN, last: true };
    for await (const entry of this.#user.read(group.id, range)) missed.push(entry);
    const last = missed.at(-1);
    if (!last) return;
    this.#watcher.missed(group, last.seq - after, missed.length);
    for (const entry of missed) this.#watcher.show(group, entry);
    this.#user.seen(group.id, last.seq, last.epoch);
  }

  /** Resolves when the group answers again. */
  #returns({ name }: JoinedGroup, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const off = this.#user.on((event) => {
      if (event.type === "state" && event.group === name && event.state === "live") resolve();
    });
    signal.addEventListener("abort", () => resolve(), { once: true });
    return promise.finally(off);
  }
}
