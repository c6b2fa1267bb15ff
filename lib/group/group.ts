/**
 * A group: answers requests, which are plain values, by the rules of `operations.ts`. Owns state,
 * writer, feed and presence; knows nothing of frames, sockets and sessions.
 */

import { DiskFull, Refusal } from "../errors.ts";
import { randomToken } from "../identity/keys.ts";
import { hashOf } from "../log/chain.ts";
import { type Log, type LogStart, type ReadBatch, requirePower } from "../log/log.ts";
import { type Batch, CLAIM } from "../protocol/batch.ts";
import type { Encoded } from "../transport/transport.ts";
import type { Decision } from "./decide/decision.ts";
import { withoutDeadInvites } from "./decide/invites.ts";
import { Feed } from "./feed.ts";
import { type Keep, Limits, type Rates } from "./limits.ts";
import { Members, toMember } from "./members.ts";
import { type Operation, OPERATIONS, permit } from "./operations.ts";
import { type Connection, Presence } from "./presence.ts";
import type { View } from "./queries.ts";
import type { Known, Op, Reply, Request } from "./request.ts";
import type { GroupState } from "./state.ts";
import { Values } from "./values.ts";
import { Writer, type WriterOptions } from "./writer.ts";

/** What makes a group itself: made once, kept with its data. */
export interface GroupIdentity {
  /** UUID made of key, name and nonce. */
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly nonce: string;
  /** User id of the founder; empty when there is none. */
  readonly founder: string;
  readonly access: "open" | "private";
}

export interface GroupOptions extends Pick<WriterOptions, "broken" | "full"> {
  readonly identity: GroupIdentity;
  readonly log: Log;
  readonly start: LogStart;
  readonly now: () => number;
  readonly rates?: Rates;
  readonly keep?: Keep;
  /** The disk is too full to drop what need not be kept, or that is dropped; called on a change. */
  kept(now: boolean): void;
  /** Makes a packet of the feed ready for all who follow. */
  encode(packet: Uint8Array): Encoded;
  /** What was asked, one line a request. */
  line(text: string): void;
  /** Something that nobody asked for failed here. */
  failed(error: unknown): void;
}

/** What a job takes of the writer's bounds at least, bytes. */
const LEAST = 512;

/** A group in this process. */
export class Group implements View {
  readonly identity: GroupIdentity;
  readonly feed: Feed;
  readonly state: GroupState;
  readonly log: Log;
  readonly presence: Presence = new Presence();
  readonly now: () => number;
  readonly #limits: Limits;
  readonly #keep: Keep;
  readonly #line: (text: string) => void;
  readonly #kept: (now: boolean) => void;
  #undropped = false;
  #pruning: Promise<void> = Promise.resolve();
  #paused = false;
  readonly #writer: Writer;
  #head: number;
  #hash: string;

  constructor(options: GroupOptions) {
    const { identity, log, start, now, broken, full, keep = {} } = options;
    const { id, name, founder, access } = identity;
    this.identity = identity;
    this.log = log;
    this.now = now;
    this.#keep = keep;
    this.#limits = new Limits(options.rates);
    this.#line = (text) => options.line(text);
    this.#kept = (now) => options.kept(now);
    this.feed = new Feed({
      epoch: start.epoch,
      encode: (packet) => options.encode(packet),
      failed: (error) => options.failed(error),
    });
    this.#head = start.head;
    this.#hash = start.hash;
    this.state = {
      id,
      name,
      epoch: start.epoch,
      founder,
      access,
      members: new Members(start.members.map(({ json }) => toMember(json))),
      head: start.head,
      at: start.at,
      lastMid: new Map(),
      values: new Values(Object.entries(start.values)),
    };
    const committed = (batches: readonly Batch[], read: readonly ReadBatch[]) =>
      this.#committed(batches, read);
    this.#writer = new Writer({ log, state: this.state, now, broken, full, committed });
  }

  /**
   * Founds a log that is empty, sweeps out invites that count no more, and drops the content of what
   * need not be kept; before that, nothing may be asked.
   *
   * @throws {DiskFull} nothing was founded; {Refusal} `stopping`: see `broken`
   */
  async begin(): Promise<void> {
    if (this.#head === 0) await this.#found();
    const dead = () => withoutDeadInvites(this.state, this.now());
    if (Object.keys(dead()).length > 0) {
      await this.#writer.submit({
        size: LEAST,
        decide: () => ({ drafts: [], values: dead(), reply: () => {} }),
      }).catch(() => {}); // On a full disk they count no more all the same.
    }
    await this.prune();
  }

  async #found(): Promise<void> {
    const { id: author, name, key, nonce, founder } = this.identity;
    const body = { nonce, founder };
    const drafts = [{ count: 1, kind: "founded", author, name, key, body } as const];
    try {
      await this.#writer.submit({ size: LEAST, decide: () => ({ drafts, reply: () => {} }) });
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "disk_full")) throw error;
      const message = `Cannot found the group "${name}": the disk of its log is full; make room, ` +
        "then start it again";
      throw new DiskFull(message, { cause: error });
    }
  }

  /** Highest seq that is on disk: what readers may see. */
  get head(): number {
    return this.#head;
  }

  /** Hash of all that is on disk, base64url. */
  get hash(): string {
    return this.#hash;
  }

  /**
   * Answers a request; one that changes something when that is on disk, all in one order.
   *
   * @throws {Refusal} what the rules say, or the operation
   */
  handle<K extends Op>(request: Request<K>): Promise<Reply<K>> {
    try {
      // One operation for one request: what TypeScript cannot follow over a union.
      const operation = OPERATIONS[request.op as K] as Operation<K>;
      const known = this.#admit(request, operation);
      if ("decide" in operation) return this.#decide(operation, known);
      permit(this.state, request, operation);
      return Promise.resolve(operation.query(this, known));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Takes a request from its budgets, and writes it down. @throws {Refusal} */
  #admit<K extends Op>(request: Request<K>, operation: Operation<K>): Known<K> {
    const { who, budget, cost = 1, line } = operation;
    const { actor, from } = request;
    const now = this.now();
    const n = typeof cost === "number" ? cost : cost(request);
    if (who === "anyone") this.#limits.take(budget, from, n, now);
    else if (!actor) throw new Refusal("no_session", "Cannot serve the request: prove a key first");
    else {
      // Anyone can claim many ids, so that a connection has no more than one of them would have.
      if (!actor.key) this.#limits.take(budget, from, n, now);
      this.#limits.take(budget, actor.user, n, now);
      if (line) this.#line(`${line} FROM ${actor.user}`);
    }
    return ("draws" in operation ? { ...request, drawn: randomToken() } : request) as Known<K>;
  }

  #decide<K extends Op>(
    operation: Extract<Operation<K>, { decide: unknown }>,
    request: Known<K>,
  ): Promise<Reply<K>> {
    const { suspects } = operation;
    const author = request.actor.user;
    const messages = suspects && {
      author,
      suspects: (state: GroupState) => suspects(state, request),
      lookUp: () => this.#limits.lookUp(author, this.now()),
      lookedUp: (ms: number) => this.#limits.lookedUp(author, ms, this.now()),
    };
    return this.#writer.submit<Reply<K>>({
      size: Math.max(LEAST, request.size),
      ...(messages ? { messages } : {}),
      decide: (state, seen, now): Decision<Reply<K>> => {
        permit(state, request, operation);
        try {
          return operation.decide(state, request, seen, now);
        } catch (error) {
          this.#limits.refused(error, now);
          throw error;
        }
      },
    });
  }

  /** Somebody is about to prove a key. @throws {Refusal} `rate_limited`: its connection asks too much */
  meet(connection: string): void {
    this.#limits.take("unproved", connection, 1, this.now());
  }

  /** Somebody proved a key on a connection. */
  enter(user: string, connection: Connection): void {
    this.presence.add(user, connection);
  }

  /** Whose connection it was is there no more; the connection itself may go on. */
  exit(user: string | undefined, connection: Connection): void {
    this.feed.unfollow(connection);
    if (user !== undefined) this.presence.remove(user, connection);
  }

  /** A connection is gone. */
  forget(connection: string): void {
    this.#limits.forget(connection);
  }

  /** Drops the content of what need not be kept; on a full disk as much as there is room to. */
  prune(): Promise<void> {
    return this.#paused ? Promise.resolve() : this.#pruning = this.#prune();
  }

  async #prune(): Promise<void> {
    const { entries, time } = this.#keep;
    if (entries === undefined && time === undefined) return;
    const drop = requirePower(this.log, "drop", "keep the newest entries only");
    try {
      await drop({
        ...(entries === undefined ? {} : { keepFrom: this.#head - entries + 1 }),
        ...(time === undefined ? {} : { olderThan: this.now() - time }),
      });
      this.#isKept(false);
    } catch (error) {
      // The next time it may go on; who sends meanwhile is told.
      if (!(error instanceof DiskFull)) throw error;
      this.#isKept(true);
    }
  }

  #isKept(now: boolean): void {
    if (now === this.#undropped) return;
    this.#undropped = now;
    this.#kept(now);
  }

  /** Tells those who follow how far the log goes. */
  announce(): void {
    this.feed.head(this.#head);
  }

  /**
   * Leaves the log as it is, for others to take over, until what is answered is called: what would
   * change it is refused as `busy`. @throws {Refusal} it is closed
   */
  async pause(): Promise<() => void> {
    const resume = await this.#writer.pause();
    this.#paused = true;
    await this.#pruning.catch(() => {}); // Whoever asked for it is told.
    return () => {
      this.#paused = false;
      resume();
    };
  }

  /** Refuses new work and waits until what was accepted is on disk. */
  async close(): Promise<void> {
    await this.#writer.close();
    this.feed.close();
  }

  #committed(batches: readonly Batch[], read: readonly ReadBatch[]): void {
    const last = read[read.length - 1];
    this.#head = last.first + last.count - 1;
    this.#hash = hashOf(last);
    let quiet = true;
    for (const { kind, author, body } of batches) {
      quiet &&= kind === "join" || kind === "leave";
      if (kind === "leave") this.#out(author, undefined);
      else if (kind === "remove") this.#out(body!.user as string, "removed from the group");
      else if (kind === "ban") this.#out(body!.user as string, "banned from the group");
    }
    this.feed.entries(read, quiet);
  }

  /** From here on the user hears nothing; `why` its connections are cut, or they stay. */
  #out(user: string, why: string | undefined): void {
    // Who came back with the same commit stays; nobody who only claims its id ever had a key.
    if (this.state.members.has(user) || user.startsWith(CLAIM)) return;
    const connections = this.presence.of(user);
    this.feed.out(connections, why !== undefined);
    if (why !== undefined) { for (const connection of connections) connection.cut(why); }
  }
}
