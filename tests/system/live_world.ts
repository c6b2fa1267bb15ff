/** What the tests of live delivery share: followers that remember, and users over any transport. */

import { connect, type GroupEntry, type User } from "../../mod.ts";
import { newSigningKey, type SigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { memoryStore } from "../../lib/store/memory_user_store.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { User as UserOver } from "../../lib/user/user.ts";
import type { FollowRange } from "../../lib/user/types.ts";
import { until } from "../support.ts";
import { ours, Process } from "./processes.ts";

export type Keep = <T extends AsyncDisposable>(one: T) => T;

/** A fresh user of these registries, or the user of a home, over the engine of the name. */
export function member(
  registries: string[],
  name: string,
  home?: string,
  transport?: string,
): Promise<User> {
  return connect({
    name,
    registries,
    ...(home ? { home } : {}),
    ...(transport ? { transport } : {}),
  });
}

/** A user whose sockets are made by another transport, or whose key the test knows. */
export function userOver(
  { transport = zmtpTransport(), key = newSigningKey(), registries, name }: {
    transport?: Transport;
    key?: SigningKey;
    registries: string[];
    name: string;
  },
): User {
  return new UserOver({ transport, store: memoryStore(), key, name, registries, mid: midMaker() });
}

/** Everything that a follower hears, until it is stopped. */
export class Ear implements AsyncDisposable {
  readonly heard: GroupEntry[] = [];
  /** Resolves when the following has ended; with the error that ended it. */
  readonly ended: Promise<unknown>;
  readonly #stop = new AbortController();

  constructor(user: User, group: string, range: FollowRange = {}) {
    const entries = user.follow(group, { ...range, signal: this.#stop.signal });
    this.ended = (async () => {
      try {
        for await (const entry of entries) {
          this.heard.push(entry);
          user.seen(group, entry.seq, entry.epoch);
        }
      } catch (error) {
        return error;
      }
    })();
  }

  get seqs(): number[] {
    return this.heard.map(({ seq }) => seq);
  }

  get texts(): string[] {
    return this.heard.flatMap(({ text }) => text ?? []);
  }

  /** Waits for the entry with a text. */
  async hears(text: string, ms = 20_000): Promise<void> {
    let looked = 0;
    await until(
      () => {
        while (looked < this.heard.length) if (this.heard[looked++].text === text) return true;
        return false;
      },
      ms,
      `hearing "${text}"; the last of ${this.heard.length} is "${this.heard.at(-1)?.text}"`,
    );
  }

  stop(): Promise<unknown> {
    this.#stop.abort();
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A group as a process of its own, listening. */
export async function groupProcess(keep: Keep, home: string, registry: string, ...more: string[]) {
  const command = ours(
    ...["group.ts", "Lab", "127.0.0.1:0", "--registry", registry, "--home", home, "--quiet"],
    ...more,
  );
  const group = keep(new Process(command));
  await group.line(/listens on/);
  return group;
}

/** `1, 2, 3, …` */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1);
}
