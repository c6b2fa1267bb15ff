/**
 * Sends a user's messages to one group: each is kept in the outbox first, and what waits goes out
 * together, in the order of the calls. While one request is under way another may follow where there
 * is much to say: it names the last message of the one before, without which the group refuses it.
 */

import { setImmediate as turn } from "node:timers/promises";
import { Closed, type Code, Refusal, sentence } from "../errors.ts";
import { userId } from "../identity/keys.ts";
import { messageHash, signedText } from "../protocol/batch.ts";
import type { Message } from "../protocol/schema.ts";
import { pause } from "../transport/waiting.ts";
import {
  type Caller,
  checkText,
  type Delivery,
  otherText,
  type Outgoing,
  receiptsOf,
  type SenderOptions,
  togetherOf,
  withOtherText,
} from "./outgoing.ts";
import { SendTimeouts } from "./send_timeouts.ts";
import type { Receipt } from "./types.ts";

/** Messages that may wait for one group in this process. */
const MAX_WAITING = 100_000;
/** How long new messages are in memory alone while others are under way, ms: one write for many. */
const KEPT_WITHIN = 50;
/** How long a message may have waited until it is looked whether it is still to be sent, ms. */
const KEPT_FOR = 1_000;
/** Requests under way at once: the group writes one while the next is made and read. */
const MOST_UNDER_WAY = 2;
/** The longest that a timer waits, ms; least text of one request behind another, UTF-16 units. */
const [LONGEST, ENOUGH] = [2 ** 31 - 1, 65_536];
/** Refusals that may be meant for one message of several. */
const OF_ONE: ReadonlySet<string> = new Set<Code>(["bad_request", "too_large"]);

/** Each is answered when it is in the group's log, or refused, or will be sent later. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #timeouts: SendTimeouts;
  /** Our user id. */
  readonly #author: string;
  #fresh: Outgoing[] = [];
  #queue: Outgoing[] = [];
  /** In the order in which they went out. */
  #underWay: Delivery[] = [];
  #pump: Promise<void> | undefined;
  /** Keeps what is new, however long the pump waits. */
  #keeping: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #full = false;
  /** Messages that there were, that were accepted, refused, and taken back, since this was made. */
  #places = 0;
  #sent = 0;
  #refused = 0;
  #dropped = 0;
  /** Why nothing goes out: what answers is not the group, or not as it may. */
  problem: string | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { link, key } = options;
    this.#timeouts = new SendTimeouts(link, () => this.#items().flatMap(({ callers }) => callers));
    this.#author = userId(key.publicKey);
    this.#load();
  }

  /** Takes what other programs have put into the outbox, or what could not be sent before. */
  #load(): void {
    const { store, link: { target: { id } } } = this.#options;
    const here = new Set(this.#items().map(({ message: [mid] }) => mid));
    const messages = store.pending(id).filter(([mid]) => !here.has(mid));
    const untried = store.untried(id);
    const since = performance.now();
    for (const message of messages) {
      const tried = !untried.has(message[0]);
      const place = this.#places++;
      this.#queue.push({ message, callers: [], isNamed: true, place, since, tried });
    }
    if (this.#queue.length > 0) this.#start();
  }

  /** Number of messages that are not acknowledged yet. */
  get waiting(): number {
    const underWay = this.#underWay.reduce((sum, { items }) => sum + items.length, 0);
    return underWay + this.#fresh.length + this.#queue.length;
  }

  /** Those that are not acknowledged yet, in the order in which they go out. */
  #items(): Outgoing[] {
    return [...this.#underWay.flatMap(({ items }) => items), ...this.#queue, ...this.#fresh];
  }

  /**
   * Resolves when the text is in the group's log.
   *
   * @param timeout ms until {@linkcode Unreachable}; the message is sent later all the same
   * @param named its message id, where it is the caller's; the same id and text are sent once
   * @throws {Refusal} `too_large`, `bad_request`, `busy`, or what the group answers; {Closed}
   */
  send(text: string, timeout: number, named?: string): Promise<Receipt> {
    try {
      if (this.#closed) throw new Closed("Cannot send: closed");
      checkText(text);
      if (this.waiting >= MAX_WAITING) {
        throw new Refusal("busy", "Cannot send: too many messages wait, slow down");
      }
      const waiting = named === undefined ? undefined : this.#waitingAs(named, text);
      return new Promise<Receipt>((resolve, reject) => {
        const since = performance.now();
        const caller: Caller = { since, timeout, resolve, reject };
        if (waiting) waiting.callers.push(caller);
        else {
          const message: Message = [named ?? this.#options.mid(), text];
          const isNamed = named !== undefined;
          const place = this.#places++;
          this.#fresh.push({ message, callers: [caller], isNamed, place, since, tried: false });
        }
        if (this.#pump) this.#keepSoon();
        this.#timeouts.watch(caller);
        this.#start();
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The message of this id that waits, here or put there by another program. @throws {Refusal} */
  #waitingAs(mid: string, text: string): Outgoing | undefined {
    const { store, link: { target: { id } } } = this.#options;
    const find = () => this.#items().find(({ message, isDone }) => message[0] === mid && !isDone);
    if (!find() && store.kept(id, [mid]).size > 0) this.#load();
    const item = find();
    if (item && item.message[1] !== text) throw otherText(mid, "one that waits to be sent");
    return item;
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
      this.keep();
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
    const items = this.#queue.splice(0, togetherOf(this.#queue));
    const stop = new AbortController();
    const ended = this.#deliver(items, stop, this.#underWay.at(-1))
      // Not the group's word on a message: what is in the outbox stays there.
      .catch((error) => this.#failAll(error))
      .finally(() => {
        this.#underWay = this.#underWay.filter((other) => other !== delivery);
        if (stop.signal.aborted) this.#putBack(items);
      });
    const delivery: Delivery = { items, stop, ended };
    this.#underWay.push(delivery);
  }

  /** What was stopped goes out again, without what was taken back. */
  #putBack(all: readonly Outgoing[]): void {
    const items = all.filter(({ isDone }) => !isDone);
    const { store, link: { target: { id } } } = this.#options;
    const gone = this.#gone(items);
    const dropped = store.dropped(id, gone.map(({ message: [mid] }) => mid));
    const reason = "another program of this folder has taken it back";
    for (const item of gone) {
      item.isElsewhere = !dropped.has(item.message[0]);
      if (!item.isElsewhere) this.#end(item, reason);
    }
    const rest = items.filter(({ isDone }) => !isDone);
    const at = this.#queue.findIndex(({ place }) => place > (rest[0]?.place ?? Infinity));
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, ...rest);
  }

  /** Those that another program has taken out of the outbox, as this one has not heard yet. */
  #gone(items: readonly Outgoing[]): Outgoing[] {
    const { store, link: { target: { id } } } = this.#options;
    const kept = store.kept(id, items.map(({ message: [mid] }) => mid));
    return items.filter(({ message: [mid], isElsewhere }) => !isElsewhere && !kept.has(mid));
  }

  /** A request is about to go out: from now on the group may have these. @throws {Closed} some are gone */
  #asked(items: readonly Outgoing[], stop: AbortController): void {
    const long = performance.now() - KEPT_FOR;
    const waited = items.filter(({ since, tried }) => since < long || !tried);
    if (waited.length > 0 && this.#gone(waited).length > 0) {
      stop.abort();
      throw new Closed("Cannot send: not all of it is in the outbox any more");
    }
    const untried = items.filter(({ tried }) => !tried);
    if (untried.length === 0) return;
    const { store, link: { target: { id } } } = this.#options;
    store.tried(id, untried.map(({ message: [mid] }) => mid));
    for (const item of untried) item.tried = true;
  }

  /** It is not sent, and whoever waits for it hears why. */
  #end(item: Outgoing, reason: string): void {
    this.#dropped++;
    const { message: [mid, text], callers } = item;
    item.isDone = true;
    for (const { reject } of callers) reject(new Closed(`Cannot send: ${reason}`));
    this.#options.event({ mid, text, state: "dropped", reason });
  }

  /** Takes messages back: those that are under way now, too, which the group may take all the same. */
  drop(mids: ReadonlySet<string>): void {
    const reason = "it was taken back";
    this.keep();
    this.#options.store.drop(this.#options.link.target.id, [...mids]);
    const items = this.#items().filter(({ message: [mid] }) => mids.has(mid));
    for (const item of items) this.#end(item, reason);
    this.#queue = this.#queue.filter(({ isDone }) => !isDone);
    // One behind another names a message of that one.
    const isHit = this.#underWay.some(({ items }) => items.some(({ isDone }) => isDone));
    if (isHit) { for (const { stop } of this.#underWay) stop.abort(); }
  }

  /** One timer for all that comes until then. */
  #keepSoon(): void {
    this.#keeping ??= setTimeout(() => {
      this.#keeping = undefined;
      this.keep();
    }, KEPT_WITHIN);
  }

  /** What is new is on disk before it is sent; what cannot be kept is not sent. */
  keep(): void {
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    const { store, link } = this.#options;
    // Where the group answers they go out at once: that is kept with them, and not written again.
    const tried = link.state === "live";
    try {
      store.enqueue(link.target.id, fresh.map(({ message }) => message), tried);
    } catch (error) {
      for (const { callers } of fresh) for (const { reject } of callers) reject(error);
      return;
    }
    for (const item of fresh) {
      item.tried = tried;
      this.#queue.push(item);
      this.#options.event({ mid: item.message[0], text: item.message[1], state: "pending" });
    }
  }

  /** @throws what is not the group's refusal; then the items wait for the next start */
  async #deliver(
    all: readonly Outgoing[],
    stop: AbortController,
    before?: Delivery,
  ): Promise<void> {
    const items = all.filter(({ isDone }) => !isDone);
    if (items.length === 0) return;
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
      const asked = () => this.#asked(items, stop);
      const { signal } = stop;
      const options = { within: Infinity, asked, delayed, signal };
      const { accepted } = await link.ask("send", fields, options);
      this.#full = false;
      const receipts = receiptsOf(messages, accepted, link.target);
      const others = await withOtherText(items, receipts, link, signal);
      const mine = items.filter((item) => !item.isDone);
      this.#settle(mine);
      for (const [i, item] of items.entries()) {
        if (item.isDone) continue;
        const seq = others.get(item);
        if (seq !== undefined) this.#fail(item, otherText(item.message[0], `entry ${seq}`));
        else this.#accept(item, receipts[i]);
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!(error instanceof Refusal)) {
        for (const { callers } of items) for (const { reject } of callers) reject(error);
        throw error;
      }
      if (before && error.code === "out_of_order") {
        await before.ended;
        return await this.#deliver(items, stop);
      }
      if (items.length > 1 && OF_ONE.has(error.code)) {
        for (const item of items) {
          if (!stop.signal.aborted) await this.#deliver([item], stop);
        }
        return;
      }
      this.#settle(items);
      for (const item of items) this.#fail(item, error);
    }
  }

  #accept(item: Outgoing, receipt: Receipt): void {
    this.#sent++;
    this.problem = undefined;
    const { message: [mid, text], callers } = item;
    item.isDone = true;
    for (const { resolve } of callers) resolve(receipt);
    this.#options.event({ mid, text, state: "sent" });
  }

  #fail(item: Outgoing, error: Refusal): void {
    this.#refused++;
    const { message: [mid, text], callers } = item;
    item.isDone = true;
    for (const { reject } of callers) reject(error);
    this.#options.event({ mid, text, state: "failed", reason: error.message });
  }

  #settle(items: readonly Outgoing[]): void {
    const { store, link } = this.#options;
    try {
      store.settle(link.target.id, items.map(({ message }) => message[0]));
    } catch {
      // They stay in the outbox and are sent again at the next start; the group knows them.
    }
  }

  /** What is in the outbox stays there. */
  #failAll(error: unknown): void {
    if (!(error instanceof Closed)) this.problem = sentence(error);
    for (const { callers } of [...this.#queue.splice(0), ...this.#fresh.splice(0)]) {
      for (const { reject } of callers) reject(error);
    }
  }

  /** Resolves when nothing waits any more, or sending has stopped. */
  async idle(): Promise<void> {
    await this.#pump;
  }

  /**
   * Sends all that waits, also what other programs left; how many were accepted, and refused.
   *
   * @param within ms in which nothing is accepted until it gives up; Infinity: never
   */
  async flush(within: number, signal?: AbortSignal): Promise<{ sent: number; refused: number }> {
    this.#load();
    const [sent, refused] = [this.#sent, this.#refused];
    const done = () => this.#sent + this.#refused + this.#dropped;
    for (let before = -1; this.waiting > 0 && before !== done();) {
      before = done();
      const idle = new AbortController();
      void this.idle().then(() => idle.abort());
      const over = signal ? AbortSignal.any([idle.signal, signal]) : idle.signal;
      await pause(Math.min(within, LONGEST), over);
      if (signal?.aborted || this.#closed) break;
      if (before !== done()) this.#load(); // What another program has put there meanwhile.
    }
    return { sent: this.#sent - sent, refused: this.#refused - refused };
  }

  /** Keeps what was not sent yet; its promises reject with {@linkcode Closed}. Close the link first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#keeping);
    this.keep();
    this.#closed = true;
    await this.#pump;
    this.#failAll(new Closed("Cannot send: closed"));
    this.#timeouts.close();
  }
}
