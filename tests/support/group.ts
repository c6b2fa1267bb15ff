/** A group without sockets: what is asked of it are plain values. */

import { Group, type GroupOptions } from "../../lib/group/group.ts";
import { ratesFor } from "../../lib/group/limits.ts";
import type { Op, Reply } from "../../lib/group/request.ts";
import type { Actor } from "../../lib/group/state.ts";
import type { Log } from "../../lib/log/log.ts";
import type { Encoded } from "../../lib/transport/transport.ts";

/** A key that fits the wire; nothing here proves it. */
const KEY = "A".repeat(43);

/** Somebody called like the letter. */
export function named(letter: string): Actor & { readonly key: string } {
  return { user: `00000000-0000-8000-8000-00000000000${letter}`, name: letter, key: KEY };
}

/** A group that asks nobody for time, and how to ask it. */
export interface Asked extends AsyncDisposable {
  readonly group: Group;
  ask<K extends Op>(op: K, actor: Actor, fields?: object): Promise<Reply<K>>;
}

/** The group of a log, which is closed with it. */
export async function groupOn(log: Log, given: Partial<GroupOptions> = {}): Promise<Asked> {
  const founder = named("f").user;
  const unwanted = (error: unknown) => {
    throw new Error("Cannot go on: something failed that nobody asked for", { cause: error });
  };
  const group = new Group({
    identity: { id: "g", name: "Lab", key: KEY, nonce: "n", founder, access: "open" },
    log,
    start: await log.open(),
    now: Date.now,
    rates: ratesFor(Infinity),
    encode: () => ({}) as Encoded,
    line: () => {},
    failed: unwanted,
    broken: unwanted,
    full: () => {},
    kept: () => {},
    ...given,
  });
  await group.begin();
  return {
    group,
    ask: (op, actor, fields = {}) =>
      group.handle({ op, actor, from: actor.user, size: 300, ...fields } as never),
    async [Symbol.asyncDispose]() {
      await group.close();
      await log.close();
    },
  };
}
