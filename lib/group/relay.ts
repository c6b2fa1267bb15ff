/**
 * A server that decides nothing: it follows the holder, serves what it knows, and hands on what must
 * be decided.
 */

import {
  Closed,
  Fenced,
  IdentityChanged,
  LogAway,
  Refusal,
  Unreachable,
  UsageError,
} from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import { proofText } from "../protocol/record.ts";
import { type FeedFrame, type GroupRecord, SERVER_REPLIES } from "../protocol/schema.ts";
import { SessionClient } from "../session/client.ts";
import type { Transport } from "../transport/transport.ts";
import { pause } from "../transport/waiting.ts";
import type { Group } from "./group.ts";
import { type Operation, permit } from "./operations.ts";
import type { Known, Op, Reply } from "./request.ts";
import { noHolder, outOfReach, type Role } from "./role.ts";
import { hear, type Servers, Telling } from "./servers.ts";

export interface RelayOptions {
  readonly transport: Transport;
  /** The group's own. */
  readonly key: SigningKey;
  readonly group: Group;
  readonly servers: Servers;
  /** `HOST:PORT` of the holder. */
  readonly holder: string;
  /** The holder is there, and this server does not reach it. */
  isCutOff(): boolean;
  /** What is kept here is not what the holder has. */
  differs(): void;
  /** The log cannot be followed. */
  broken(error: unknown): void;
}

/** How long the holder may take to answer, ms: less than a member waits. */
const HEAD_WITHIN = 1_500;
const HAND_WITHIN = 8_000;
/** How long it may take until what was accepted is here, ms. */
const HERE_WITHIN = 4_000;
/** What the feed has not brought by then is read of the log, ms. */
const READ_AFTER = 10;
/** Between two looks whether the holder is followed, who is where, and which servers there are, ms. */
const TEND_EVERY = 2_000;
/** Between two tries to read the log, ms. */
const READ_AGAIN = 250;

/** Waits until the head is here. */
interface Waiting {
  readonly head: number;
  readonly until: number;
  resolve(): void;
  reject(error: unknown): void;
}

/** Follows one holder. */
export class Relay implements Role {
  readonly holder: string;
  readonly #options: RelayOptions;
  readonly #client: SessionClient<typeof SERVER_REPLIES>;
  readonly #closed = new AbortController();
  readonly #tending: ReturnType<typeof setInterval>;
  /** Highest seq that the holder told of: all up to it is acknowledged. */
  #known = 0;
  #reading: Promise<void> | undefined;
  #waiting: Waiting[] = [];
  #late: ReturnType<typeof setTimeout> | undefined;
  #asked: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #following = false;
  #session = 0;
  #telling = new Telling();
  readonly #present = new Set<string>();
  #meeting = false;
  /** When the holder was heard last, ms by `performance.now()`. */
  #heard: number = performance.now();

  constructor(options: RelayOptions) {
    const { transport, key, group, holder } = options;
    const { name, id } = group.identity;
    this.#options = options;
    this.holder = holder;
    this.#client = new SessionClient({
      transport,
      address: holder,
      what: `the holder of "${name}"`,
      replies: SERVER_REPLIES,
      check: (identity) => {
        if ("group" in identity && identity.group.id === id) return this.#agree(identity.group);
        const what = "something else than the group answers there";
        throw new IdentityChanged(name, `Cannot follow "${name}" at ${holder}: ${what}`);
      },
      prove: (transcript) => ({
        key: key.publicKey,
        name: "server",
        sig: key.sign(proofText(transcript)),
      }),
      opened: () => this.#opened(),
      gone: () => this.#gone(),
      news: (frame) => this.#take(frame),
      heard: () => (this.#heard = performance.now()),
    });
    group.presence.elsewhere.add(this.#present);
    this.#tending = setInterval(() => this.#tend(), TEND_EVERY);
    this.#tend();
  }

  /** Whoever decides must let in whom this server would. */
  #agree({ access }: GroupRecord): void {
    const { group: { identity }, broken } = this.#options;
    if (access === identity.access) return;
    const how = access === "private" ? "with" : "without";
    broken(
      new UsageError(
        `Cannot serve "${identity.name}": the server at ${this.holder} runs it ${how} --private; ` +
          "start this one so, too",
      ),
    );
  }

  /** Whether there is a connection to the holder. */
  get isConnected(): boolean {
    return this.#client.identity !== undefined;
  }

  /** How long the holder has not been heard, ms. */
  get silence(): number {
    return performance.now() - this.#heard;
  }

  get isHere(): boolean {
    return !this.#options.isCutOff();
  }

  fresh(): Promise<void> {
    return this.#next ??= this.#asked.then(() => {
      this.#next = undefined;
      const asking = this.#ask();
      this.#asked = asking.catch(() => {});
      return asking;
    });
  }

  /** All that was acknowledged before this was called is here. */
  async #ask(): Promise<void> {
    const { group } = this.#options;
    const before = group.head;
    const { epoch, head, hash } = await this.#client.request("head", {}, HEAD_WITHIN)
      .catch((error) => this.#refuse(error));
    if (epoch !== group.state.epoch || head < before || isOther(group, head, hash)) {
      this.#options.differs();
      throw noHolder();
    }
    await this.#until(head);
    if (isOther(group, head, hash)) {
      this.#options.differs();
      throw noHolder();
    }
  }

  async decide<K extends Op>(operation: Operation<K>, request: Known<K>): Promise<Reply<K>> {
    const { group } = this.#options;
    const { actor, from, size, handed: _, ...asked } = request as Known<Op>;
    if (!("decide" in operation)) permit(group.state, request, operation);
    const fields = { request: asked, actor, from: from.slice(0, 80), size };
    const { head, reply } = await this.#client.request("hand", fields, HAND_WITHIN)
      .catch((error) => this.#refuse(error));
    await this.#until(head);
    return reply as Reply<K>;
  }

  /** Whether it was done is unknown: every request is safe to repeat. @throws {Refusal} */
  #refuse(error: unknown): never {
    if (error instanceof Refusal) throw error;
    if (!(error instanceof Unreachable || error instanceof Closed)) throw noHolder(error);
    throw this.#options.isCutOff() ? outOfReach(error) : noHolder(error);
  }

  #opened(): void {
    this.#session++;
    this.#telling = new Telling();
    this.#present.clear();
    void this.#follow();
    void this.#meet();
  }

  #gone(): void {
    this.#following = false;
  }

  async #follow(): Promise<void> {
    const session = this.#session;
    try {
      const { head } = await this.#client.request("follow", {});
      if (session !== this.#session) return;
      this.#following = true;
      this.#learn(head);
    } catch {
      // The next look asks again.
    }
  }

  #tend(): void {
    if (!this.isConnected) {
      // Asking is what connects.
      if (this.#waiting.length === 0) void this.fresh().catch(() => {});
      return;
    }
    if (!this.#following) void this.#follow();
    void this.#meet();
  }

  async #meet(): Promise<void> {
    if (this.#meeting) return;
    this.#meeting = true;
    const session = this.#session;
    const { group, servers } = this.#options;
    try {
      const comings = this.#telling.next(group.presence.own());
      const told = await this.#client.request("meet", { address: servers.own, ...comings });
      if (session !== this.#session || this.#closed.signal.aborted) return;
      servers.learn(told.servers);
      hear(this.#present, told);
    } catch {
      if (session === this.#session) this.#telling = new Telling(); // What was told is unknown.
    } finally {
      this.#meeting = false;
    }
  }

  #take({ epoch, head, batches = [], typing }: FeedFrame): void {
    const { group } = this.#options;
    if (this.#closed.signal.aborted || epoch !== group.state.epoch) return;
    if (typing) group.feed.typing(typing.user, typing.name);
    if (!this.#reading) {
      for (const batch of batches) if (!group.take(batch)) break;
    }
    const last = batches.at(-1);
    if (last) this.#learn(last.first + last.count - 1);
    if (head !== undefined) this.#learn(head);
    this.#wake();
  }

  /** The holder has acknowledged all up to there. */
  #learn(head: number): void {
    this.#known = Math.max(this.#known, head);
    if (this.#known > this.#options.group.head) this.#read();
  }

  #read(): void {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
      this.#wake();
    });
  }

  async #readAll(): Promise<void> {
    const { group, broken } = this.#options;
    while (group.head < this.#known && !this.#closed.signal.aborted) {
      try {
        await group.catchUp(this.#known);
      } catch (error) {
        if (!(error instanceof LogAway)) return broken(error);
        await pause(READ_AGAIN, this.#closed.signal);
      }
    }
  }

  /** Resolves when all up to `head` is here. @throws {Refusal} `busy` */
  #until(head: number): Promise<void> {
    const { group } = this.#options;
    this.#known = Math.max(this.#known, head);
    if (group.head >= head) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ head, until: performance.now() + HERE_WITHIN, resolve, reject });
      this.#late ??= setTimeout(() => this.#isLate(), READ_AFTER);
    });
  }

  #isLate(): void {
    this.#late = undefined;
    if (this.#known > this.#options.group.head) this.#read();
    const now = performance.now();
    const [late, waiting] = [this.#waiting, [] as Waiting[]];
    for (const one of late) {
      if (one.until > now) waiting.push(one);
      else one.reject(noHolder());
    }
    this.#waiting = waiting;
    if (waiting.length > 0) this.#late = setTimeout(() => this.#isLate(), READ_AGAIN);
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const { head } = this.#options.group;
    this.#waiting = this.#waiting.filter((one) => {
      if (one.head > head) return true;
      one.resolve();
      return false;
    });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#tending);
    clearTimeout(this.#late);
    this.#options.group.presence.elsewhere.delete(this.#present);
    for (const { reject } of this.#waiting.splice(0)) reject(noHolder(new Fenced("closed")));
    await Promise.all([this.#client.close(), this.#reading]);
  }
}

/** Whether the holder has another history up to our head. */
function isOther(group: Group, head: number, hash: string): boolean {
  return group.head === head && group.hash !== hash;
}
