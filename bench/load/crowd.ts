/**
 * Members as people are: each a user of the client library, with a store in memory, who joins and
 * follows. The version before runs this file over its own library.
 */

import { connect, type User } from "../../mod.ts";
import { program } from "../programs.ts";

const NAME = "Bench";
/** Members that join at once. */
const LANES = 4;
/** Nobody joins while this process is later than this, ms: its members share one thread. */
const LATE = 100;
/** How often that is looked at, ms. */
const LOOK = 20;
/** A member that could not join tries again after this long, ms. */
const AGAIN = 500;

const members: User[] = [];
let joined = 0;
/** Members whose connection went after they had joined, as often as it did. */
let cut = 0;
/** Why joining failed, or following ended: a few reasons, each once. */
const failures = new Set<string>();
const REASONS = 5;

/** What each member has heard of the messages of {@linkcode spans}. */
let heard: Uint32Array;
/** Of each receipt: which message, and how long after the call, ms. */
const spans: [message: number, ms: number][] = [];

const now = () => performance.timeOrigin + performance.now();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How late this process is, ms. */
let late = 0;
let looked = performance.now();
setInterval(() => {
  late = performance.now() - looked - LOOK;
  looked = performance.now();
}, LOOK);

/** Waits until this process keeps up with what its members hear. */
async function settled(): Promise<void> {
  for (let calm = 0; calm < 3; await pause(LOOK)) calm = late < LATE ? calm + 1 : 0;
}

async function member(index: number, registry: string): Promise<void> {
  const user = await connect({ name: `m${index}`, registries: [registry] });
  members.push(user);
  let head = -1;
  while (head < 0) {
    try {
      head = (await user.join(NAME)).unread;
    } catch (error) {
      failed(error);
      await pause(AGAIN);
    }
  }
  joined++;
  user.on((event) => {
    if (event.type === "state" && event.state !== "live") cut++;
  });
  void follow(user, index, head);
}

async function follow(user: User, index: number, after: number): Promise<void> {
  try {
    for await (const { text } of user.follow(NAME, { after })) {
      if (!text?.startsWith("tick ")) continue;
      const [, message, sent] = text.split(" ").map(Number);
      heard[index]++;
      spans.push([message, now() - sent]);
    }
  } catch (error) {
    failed(error);
  }
}

function failed(error: unknown): void {
  const text = error instanceof Error ? error.message : `${error}`;
  // Times differ from one to the next.
  if (failures.size < REASONS) failures.add(text.replace(/[\d.]+ s\b/g, "some s"));
}

await program({
  /** So many members begin to join. */
  join({ registry, members: count }: { registry: string; members: number }) {
    heard = new Uint32Array(count);
    let next = 0;
    const lane = async () => {
      while (next < count) {
        await settled();
        if (next < count) await member(next++, registry);
      }
    };
    for (let i = 0; i < LANES; i++) void lane();
  },

  /** Waits until all that was said has been heard, as far as that shows. */
  settled,

  /** How far they are. */
  state: () => ({ joined, cut, failures: [...failures] }),

  /** Says one message a second, and has each acknowledged; when it called, ms since 1970. */
  async speak({ registry, messages }: { registry: string; messages: number }) {
    await using user = await connect({ name: "speaker", registries: [registry] });
    await user.join(NAME);
    const calls: number[] = [];
    for (let i = 0; i < messages; i++) {
      const next = pause(1_000);
      const call = now();
      calls.push(call);
      await user.send(NAME, `tick ${i} ${call}`);
      await next;
    }
    return { calls };
  },

  /** Waits until all have heard so many messages, or so long, ms: what is missing, and each span. */
  async heard({ messages, within }: { messages: number; within: number }) {
    const missing = () => heard.reduce((sum, count) => sum + Math.abs(messages - count), 0);
    for (const end = now() + within; missing() > 0 && now() < end;) await pause(50);
    return { missed: missing(), spans };
  },
});
