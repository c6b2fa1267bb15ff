/** Messages on their way to a group: what goes out together, and what the group's answer says of each. */

import { BadReply, Refusal } from "../errors.ts";
import { midTime } from "../identity/ids.ts";
import type { SigningKey } from "../identity/keys.ts";
import { MAX_BATCH_BYTES, MAX_MESSAGES, MAX_TEXT, MID_SPAN } from "../protocol/limits.ts";
import type { Message } from "../protocol/schema.ts";
import type { UserStore } from "../store/user_store.ts";
import type { GroupReply, Link } from "./link.ts";
import type { Waiting } from "./send_timeouts.ts";
import type { OutboxEvent, Receipt } from "./types.ts";

/** What messages are sent with. */
export interface SenderOptions {
  readonly link: Pick<Link, "target" | "state" | "ask">;
  readonly key: SigningKey;
  readonly store: Pick<
    UserStore,
    "enqueue" | "tried" | "untried" | "kept" | "pending" | "settle" | "drop" | "dropped"
  >;
  readonly mid: () => string;
  event(event: OutboxEvent): void;
  /** The group cannot write now; called once until it has written again. */
  full?(): void;
}

/** A caller who waits for a receipt. */
export interface Caller extends Waiting {
  resolve(receipt: Receipt): void;
}

/** A message that the group has not acknowledged. */
export interface Outgoing {
  readonly message: Message;
  /** None for what an earlier program left in the outbox. */
  readonly callers: Caller[];
  /** Its id may be somebody's choice: the group may have another text under it. */
  readonly isNamed: boolean;
  /** Its number here, in the order in which they go out. */
  readonly place: number;
  /** Since when it waits here, by `performance.now()`. */
  readonly since: number;
  /** The group may have it: a request with it went out. */
  tried: boolean;
  /** Another program has taken it out of the outbox, and not back: the group says what became of it. */
  isElsewhere?: boolean;
  /** It was accepted, refused or taken back. */
  isDone?: boolean;
}

/** A request that is not answered yet. */
export interface Delivery {
  readonly items: readonly Outgoing[];
  /** What is not accepted yet is put back. */
  readonly stop: AbortController;
  /** When it came to an end, good or bad; never rejects. */
  readonly ended: Promise<void>;
}

/** JSON around one message and, at worst, escapes of one text unit, bytes. */
const AROUND = 64;
/** Text of one request where more waits, UTF-16 units. */
const MUCH = 131_072;

/** @throws {Refusal} `bad_request`, `too_large`: no group takes such a text */
export function checkText(text: string): void {
  if (text.length === 0) throw new Refusal("bad_request", "Cannot send: the text is empty");
  if (!text.isWellFormed()) {
    throw new Refusal("bad_request", "Cannot send: the text is not valid Unicode");
  }
  if (text.length > MAX_TEXT / 3 && new TextEncoder().encode(text).length > MAX_TEXT) {
    throw new Refusal("too_large", `Cannot send: the text is above ${MAX_TEXT} bytes, split it`);
  }
}

/** How many of those that wait go out as one request: at least one. */
export function togetherOf(queue: readonly Outgoing[]): number {
  const since = midTime(queue[0].message[0]);
  let [bytes, units] = [0, 0];
  let n = 0;
  let before = "";
  for (const { message: [mid, text] } of queue) {
    // A control character takes six bytes as JSON, everything else at most three a unit.
    bytes += AROUND + text.length * (text.length < 4_096 ? 3 : 6);
    if (n > 0 && (bytes > MAX_BATCH_BYTES * 0.9 || midTime(mid) - since > MID_SPAN)) break;
    // One that another program left here may be greater than our own.
    if (mid <= before) break;
    before = mid;
    units += text.length;
    if (++n === MAX_MESSAGES || units >= MUCH) break;
  }
  return n;
}

/** Where each message stands. @throws {BadReply} the answer is of more messages, or of less */
export function receiptsOf(
  messages: readonly Message[],
  accepted: GroupReply<"send">["accepted"],
  { name, address }: Link["target"],
): Receipt[] {
  const many = accepted.reduce((sum, { count }) => sum + count, 0);
  if (many !== messages.length) {
    const problem = `it acknowledges ${many} of ${messages.length} messages`;
    throw new BadReply(`Cannot use the answer of the group "${name}" at ${address}: ${problem}`);
  }
  const receipts: Receipt[] = [];
  for (const { from, count, at, duplicate = false } of accepted) {
    for (let i = 0; i < count; i++) {
      receipts.push({ mid: messages[receipts.length][0], seq: from + i, at, duplicate });
    }
  }
  return receipts;
}

/**
 * Those that the group has with another text, and at which seq. One whose entry the group has dropped
 * since cannot be compared, and is taken for the same.
 *
 * @param receipts of each
 */
export async function withOtherText(
  items: readonly Outgoing[],
  receipts: readonly Receipt[],
  link: Pick<Link, "ask">,
  signal: AbortSignal,
): Promise<ReadonlyMap<Outgoing, number>> {
  const others = new Map<Outgoing, number>();
  const logged = new Map<number, Message>();
  for (const [i, item] of items.entries()) {
    const { duplicate, seq } = receipts[i];
    if (!duplicate || !item.isNamed) continue;
    if (!logged.has(seq)) {
      const range = { after: seq - 1, limit: MAX_MESSAGES };
      const { batches } = await link.ask("read", range, { within: Infinity, signal });
      for (const { first, messages = [] } of batches) {
        for (const [n, message] of messages.entries()) logged.set(first + n, message);
      }
    }
    const [mid, text] = logged.get(seq) ?? item.message;
    if (mid !== item.message[0] || text !== item.message[1]) others.set(item, seq);
  }
  return others;
}

/** Why a message is not sent whose id has another text. */
export function otherText(mid: string, where: string): Refusal {
  return new Refusal(
    "bad_request",
    `Cannot send: the message id ${mid} has another text already, ${where}; take another id for ` +
      "another text",
  );
}
