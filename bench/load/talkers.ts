/**
 * Members who say something again and again, and hear each other: how long after a moment the next
 * message of each is acknowledged, and the next one heard.
 */

import { connect, type User } from "../../mod.ts";
import { program } from "../programs.ts";
import { NAME } from "../servers.ts";

/** Each says something this often, ms. */
const EVERY = 20;
/** How often it is looked whether all that is waited for has come, ms. */
const LOOK = 50;
/** Longer than any failure is to last, ms. */
const WITHIN = 120_000;

/** Something that happened to a member: a message that was said then, and how long after that. */
interface Seen {
  readonly kind: "acknowledged" | "heard";
  readonly member: number;
  /** ms since 1970. */
  readonly said: number;
  readonly at: number;
}

const users: User[] = [];
let seen: Seen[] = [];

const now = () => performance.timeOrigin + performance.now();
const saw = (kind: Seen["kind"], member: number, said: number) =>
  void seen.push({ kind, member, said, at: now() });

/** Of each member, how long after a moment the first of a kind was that was said from then on, ms. */
function firstAfter(from: number, wanted: Seen["kind"]): number[] {
  const found = new Map<number, number>();
  for (const { kind, member, said, at } of seen) {
    if (kind === wanted && said >= from && !found.has(member)) found.set(member, at - from);
  }
  return [...found.values()];
}

async function speak(member: number): Promise<void> {
  for (;;) {
    const next = new Promise((resolve) => setTimeout(resolve, EVERY));
    const said = now();
    void users[member].send(NAME, `${member} ${said}`, { within: WITHIN })
      .then(() => saw("acknowledged", member, said));
    await next;
  }
}

async function hear(member: number): Promise<void> {
  for await (const { text = "" } of users[member].follow(NAME)) {
    const [speaker, said] = text.split(" ").map(Number);
    if (speaker !== member) saw("heard", member, said);
  }
}

await program({
  /** So many members join; each hears the others, and speaks from now on. */
  async connect({ address, members }: { address: string; members: number }) {
    for (let i = 0; i < members; i++) {
      const user = await connect({ name: `talker ${i}`, registries: [address] });
      users.push(user);
      await user.join(NAME);
      void hear(i);
    }
    for (let i = 0; i < members; i++) void speak(i);
  },

  /**
   * Waits until each member had a message acknowledged and heard one, both said at or after a moment,
   * ms since 1970; how long after it that was, ms, member by member.
   */
  async after({ from }: { from: number }) {
    for (;; await new Promise((resolve) => setTimeout(resolve, LOOK))) {
      const [acknowledged, heard] = [firstAfter(from, "acknowledged"), firstAfter(from, "heard")];
      if (Math.min(acknowledged.length, heard.length) < users.length) continue;
      seen = [];
      return { acknowledged, heard };
    }
  },
});
