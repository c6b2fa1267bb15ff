/**
 * Sends a user's messages to one group: each is kept in the outbox first, and what waits goes out
 * together, in the order of the calls. While one request is under way another may follow where there
 * is much to say: it names the last message of the one before, without which the group refuses it.
 */

import { setImmediate as turn } from "node:timers/promises";
import { BadReply, Closed, type Code, Refusal } from "../errors.ts";
import { type SigningKey, userId } from "../identity/keys.ts";
import { messageHash, signedText } from "../protocol/batch.ts";
import { MAX_BATCH_BYTES, MAX_MESSAGES, MAX_TEXT, MID_SPAN } from "../protocol/limits.ts";
import { midTime } from "../identity/ids.ts";
import type { Message } from "../protocol/schema.ts";
import type { UserStore } from "../store/user_store.ts";
import type { GroupReply, Link } from "./link.ts";
import { SendTimeouts, type Waiting } from "./send_timeouts.ts";
import type { OutboxEvent, Receipt } from "./types.ts";

interface SenderOptions {
  readonly link: Pick<Link, "target" | "state" | "ask">;
  readonly key: SigningKey;
  readonly store: Pick<UserStore, "enqueue" | "pending" | "settle">;
  readonly mid: () => string;
  event(event: OutboxEvent): void;
  /** The group cannot write now; called once until it has written again. */
  full?(): void;
}

interface Item extends Waiting {
  readonly message: Message;
  resolve(receipt: Receipt): void;
}

/** A request that is not answered yet. */
interface Delivery {
  readonly items: readonly Item[];
  /** When it came to an end, good or bad; never rejects. */
  readonly ended: Promise<void>;
}

/** Nobody waits for what an earlier program left in the outbox. */
const NOBODY = { since: 0, timeout: Infinity, resolve: () => {}, reject: () => {} };

/** Messages that may wait for one group in this process. */
const MAX_WAITING = 100_000;
/** How long new messages are in memory alone while others are under way, ms: one write for many. */
const KEPT_WITHIN = 50;
/** JSON around one message and, at worst, escapes of one text unit, bytes. */
const AROUND = 64;
/** Requests under way at once: the group writes one while the next is made and read. */
const MOST_UNDER_WAY = 2;
/** Text of one request where more waits, and least text of one behind another, UTF-16 units. */
const [MUCH, ENOUGH] = [131_072, 65_536];
/** Refusals that may be meant for one message of several. */
const OF_ONE: ReadonlySet<string> = new Set<Code>(["bad_request", "too_large"]);

/** Each is answered when it is in the group's log, or refused, or will be sent later. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #timeouts: SendTimeouts;
  /** Our user id. */
  readonly #author: string;
  #fresh: Item[] = [];
  #queue: Item[] = [];
  /** In the order in which they went out. */
  #underWay: Delivery[] = [];
  #pump: Promise<void> | undefined;
  /** Keeps what is new, however long the pump waits. */
  #keeping: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #full = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { store, link, key } = options;
    this.#timeouts = new SendTimeouts(
      link,
      () => [...this.#underWay.flatMap(({ items }) => items), ...this.#queue, ...this.#fresh],
    );
    this.#author = userId(key.publicKey);
    for (const message of store.pending(link.target.id)) {
      this.#queue.push({ message, ...NOBODY });
    }
    if (this.#queue.length > 0) this.#start();
  }

  /** Number of messages that are not acknowledged yet. */
  get waiting(): number {
    const underWay = this.#underWay.reduce((sum, { items }) => sum + items.length, 0);
    return underWay + this.#fresh.length + this.#queue.length;
  }

  /**
   * Resolves when the text is in the group's log.
   *
   * @param timeout ms until {@linkcode Unreachable}; the message is sent later all the same
   * @throws {Refusal} `too_large`, `bad_request`, `busy`, or what the group answers; {Closed}
   */
  send(text: string, timeout: number): Promise<Receipt> {
    const problem = this.#problem(text);
    if (problem) return Promise.reject(problem);
    const mid = this.#options.mid();
    return new Promise<Receipt>((resolve, reject) => {
      const since = performance.now();
      const item: Item = { message: [mid, text], since, timeout, resolve, reject };
      this.#fresh.push(item);
      if (this.#pump) this.#keepSoon();
      this.#timeouts.watch(item);
      this.#start();
    });
  }

  #problem(text: string): Error | undefined {
    if (this.#closed) return new Closed("Cannot send: closed");
    if (text.length === 0) return new Refusal("bad_request", "Cannot send: the text is empty");
    if (!text.isWellFormed()) {
      return new Refusal("bad_request", "Cannot send: the text is not valid Unicode");
    }
    if (text.length > MAX_TEXT / 3 && new TextEncoder().encode(text).length > MAX_TEXT) {
      const message = `Cannot send: the text is above ${MAX_TEXT} bytes, split it`;
      return new Refusal("too_large", message);
    }
    if (this.waiting >= MAX_WAITING) {
      return new Refusal("busy", "Cannot send: too many messages wait, slow down");
    }
    return undefined;
  }

  #start(): void {
    this.#pump ??= this.#run().finally(() => {
      this.#pump = undefined;
      // What was sent after the pump looked for the last time.
      if (this.waiting > 0 && !this.#closed) this.#start();
    });
  }

  async #run(): Promise<void> {
    // Messages sent together are kept and sent together.
    await turn();
    while (this.waiting > 0 && !this.#closed) {
      this.#keep();
      if (this.#isWorthwhile()) this.#begin();
      else if (this.#underWay.length > 0) {
        await Promise.race(this.#underWay.map(({ ended }) => ended));
      }
    }
    await Promise.all(this.#underWay.map(({ ended }) => ended));
  }

  /** Whether what waits goes out now. */
  #isWorthwhile(): boolean {
    if (this.#queue.length === 0 || this.#underWay.length === 0) return this.#queue.length > 0;
    if (this.#underWay.length === MOST_UNDER_WAY) return false;
    let units = 0;
    return this.#queue.some(({ message: [_, text] }) => (units += text.length) >= ENOUGH);
  }

  #begin(): void {
    const items = this.#take();
    const ended = this.#deliver(items, this.#underWay.at(-1))
      // Not the group's word on a message: what is in the outbox stays there.
      .catch((error) => this.#failAll(error))
      .finally(() => this.#underWay = this.#underWay.filter((other) => other !== delivery));
    const delivery: Delivery = { items, ended };
    this.#underWay.push(delivery);
  }

  /** One timer for all that comes until then. */
  #keepSoon(): void {
    this.#keeping ??= setTimeout(() => {
      this.#keeping = undefined;
      this.#keep();
    }, KEPT_WITHIN);
  }

  /** What is new is on disk before it is sent; what cannot be kept is not sent. */
  #keep(): void {
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    const { store, link } = this.#options;
    try {
      store.enqueue(link.target.id, fresh.map(({ message }) => message));
    } catch (error) {
      for (const item of fresh) item.reject(error);
      return;
    }
    for (const item of fresh) {
      this.#queue.push(item);
      this.#options.event({ mid: item.message[0], text: item.message[1], state: "pending" });
    }
  }

  /** @throws what is not the group's refusal; then the items wait for the next start */
  async #deliver(items: readonly Item[], before?: Delivery): Promise<void> {
    const { link, key } = this.#options;
    const messages = items.map(({ message }) => message);
    const text = signedText(link.target.id, this.#author, messages.map(messageHash));
    // Behind another request only once that one was accepted.
    const after = before?.items.at(-1)?.message[0];
    const fields = { messages, sig: key.sign(text), after };
    const delayed = ({ code }: Refusal) => {
      if (code !== "disk_full" || this.#full) return;
      this.#full = true;
      this.#options.full?.();
    };
    try {
      const { accepted } = await link.ask("send", fields, { within: Infinity, delayed });
      this.#full = false;
      const receipts = this.#receipts(messages, accepted);
      this.#settle(items);
      for (const [i, { message: [mid, text], resolve }] of items.entries()) {
        resolve(receipts[i]);
        this.#options.event({ mid, text, state: "sent" });
      }
    } catch (error) {
      if (!(error instanceof Refusal)) {
        for (const { reject } of items) reject(error);
        throw error;
      }
      if (before && error.code === "out_of_order") {
        await before.ended;
        return await this.#deliver(items);
      }
      if (items.length > 1 && OF_ONE.has(error.code)) {
        for (const item of items) await this.#deliver([item]);
        return;
      }
      this.#settle(items);
      for (const { message: [mid, text], reject } of items) {
        reject(error);
        this.#options.event({ mid, text, state: "failed", reason: error.message });
      }
    }
  }

  #take(): Item[] {
    const since = midTime(this.#queue[0].message[0]);
    let [bytes, units] = [0, 0];
    let n = 0;
    let before = "";
    for (const { message: [mid, text] } of this.#queue) {
      // A control character takes six bytes as JSON, everything else at most three a unit.
      bytes += AROUND + text.length * (text.length < 4_096 ? 3 : 6);
      if (n > 0 && (bytes > MAX_BATCH_BYTES * 0.9 || midTime(mid) - since > MID_SPAN)) break;
      // One that another program left here may be greater than our own.
      if (mid <= before) break;
      before = mid;
      units += text.length;
      if (++n === MAX_MESSAGES || units >= MUCH) break;
    }
    return this.#queue.splice(0, n);
  }

  /** Where each message stands. @throws {BadReply} the answer is of more messages, or of less */
  #receipts(messages: readonly Message[], accepted: GroupReply<"send">["accepted"]): Receipt[] {
    const many = accepted.reduce((sum, { count }) => sum + count, 0);
    if (many !== messages.length) {
      const { name, address } = this.#options.link.target;
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

  #settle(items: readonly Item[]): void {
    const { store, link } = this.#options;
    try {
      store.settle(link.target.id, items.map(({ message }) => message[0]));
    } catch {
      // They stay in the outbox and are sent again at the next start; the group knows them.
    }
  }

  /** What is in the outbox stays there. */
  #failAll(error: unknown): void {
    for (const { reject } of [...this.#queue.splice(0), ...this.#fresh.splice(0)]) reject(error);
  }

  /** Resolves when nothing waits any more, or sending has stopped. */
  async idle(): Promise<void> {
    await this.#pump;
  }

  /** Keeps what was not sent yet; its promises reject with {@linkcode Closed}. Close the link first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#keeping);
    this.#keep();
    this.#closed = true;
    await this.#pump;
    this.#failAll(new Closed("Cannot send: closed"));
    this.#timeouts.close();
  }
}
