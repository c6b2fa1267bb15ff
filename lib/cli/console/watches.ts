/** Entries of every joined group: the last ones first, then what comes. */

import { Closed, Unreachable } from "../../errors.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import type { JoinedGroup } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import { KEPT } from "./views.ts";

/** Who takes them. */
interface Watcher {
  /**
   * The last entries that are there; none where all of them will come.
   *
   * @param fresh entries that were not seen yet, also those that are not among these
   */
  caughtUp(group: JoinedGroup, entries: readonly GroupEntry[], fresh: number): void;
  /** Resolves when an entry that came may be taken; those behind it wait, too. */
  mayTake(entry: GroupEntry): Promise<void> | undefined;
  came(group: JoinedGroup, entry: GroupEntry): void;
  failed(group: JoinedGroup, error: unknown): void;
}

/** What is asked of a user. */
type Watched = Pick<User, "read" | "follow" | "joined" | "on">;

/** The place behind an entry. */
interface Place {
  readonly after: number;
  readonly epoch: string;
}

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

  /** Resolves when the last entries are there, or cannot be had now; goes on in the background. */
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
    let from: Place | undefined;
    for (;;) {
      const back = this.#returns(group, signal);
      try {
        from = await this.#catchUp(group, signal);
        break;
      } catch (error) {
        if (!(error instanceof Unreachable) || signal.aborted) throw error;
        caughtUp();
        await back;
      }
    }
    caughtUp();
    // Ends also when the connection is made anew, after a change of name.
    while (!signal.aborted && this.#joined(group)) {
      for await (const entry of this.#user.follow(group.id, { ...from, signal })) {
        await this.#watcher.mayTake(entry);
        if (signal.aborted) return;
        from = { after: entry.seq, epoch: entry.epoch };
        this.#watcher.came(group, entry);
      }
    }
  }

  /** Reads the last entries; answers the place behind them, undefined where the cursor is meant. */
  async #catchUp(group: JoinedGroup, signal: AbortSignal): Promise<Place | undefined> {
    const entries: GroupEntry[] = [];
    const range = { limit: KEPT, last: true };
    for await (const entry of this.#user.read(group.id, range)) entries.push(entry);
    if (signal.aborted) return undefined;
    const last = entries.at(-1);
    const { cursor, unread } = this.#joined(group) ?? group;
    // A log that ends before what was seen is another one, or was cut: following finds out.
    if (!last || last.seq < cursor) {
      this.#watcher.caughtUp(group, [], 0);
      return undefined;
    }
    // What is known of the end may be older than what was read.
    this.#watcher.caughtUp(group, entries, Math.min(last.seq, Math.max(unread, last.seq - cursor)));
    return { after: last.seq, epoch: last.epoch };
  }

  #joined({ id }: JoinedGroup): JoinedGroup | undefined {
    return this.#user.joined().find((joined) => joined.id === id);
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
