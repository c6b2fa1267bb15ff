/**
 * A group: answers requests, which are plain values, by the rules of `operations.ts`. Owns state,
 * role, feed and presence; knows nothing of frames, sockets and sessions.
 */

import { DiskFull, Fenced, LogAway, LogDamaged, Refusal } from "../errors.ts";
import { randomToken } from "../identity/keys.ts";
import { hashOf } from "../log/chain.ts";
import { type Log, type LogStart, type ReadBatch, requirePower } from "../log/log.ts";
import { type Batch, CLAIM } from "../protocol/batch.ts";
import { endOf, follows } from "../protocol/chain.ts";
import { READ_UNITS } from "../protocol/limits.ts";
import type { Encoded } from "../transport/transport.ts";
import { withoutDeadInvites } from "./decide/invites.ts";
import { Feed } from "./feed.ts";
import { Holder, isFull } from "./holder.ts";
import { type GroupIdentity, stateOf } from "./identity.ts";
import { type LogLine, requestLine } from "./log_lines.ts";
import { type Keep, Limits, type Rates } from "./limits.ts";
import { type Asking, type Operation, OPERATIONS, permit } from "./operations.ts";
import { type Connection, Presence } from "./presence.ts";
import type { View } from "./queries.ts";
import type { Known, Op, Reply, Request } from "./request.ts";
import { Between, noHolder, outOfReach, type Role } from "./role.ts";
import { News } from "./servers.ts";
import { apply, type GroupState } from "./state.ts";
import type { WriterOptions } from "./writer.ts";

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
  line(line: LogLine): void;
  /** Something that nobody asked for failed here. */
  failed(error: unknown): void;
}

/** Most entries that are read of the log at once to catch up. */
const CATCH_UP = 1_000;
/** Who is so many entries behind begins anew from the log's state instead. */
const FAR_BEHIND = 20_000;

/** A group in this process. */
export class Group implements View {
  readonly identity: GroupIdentity;
  readonly feed: Feed;
  readonly news: News;
  readonly log: Log;
  readonly presence: Presence = new Presence();
  readonly now: () => number;
  readonly #options: GroupOptions;
  readonly #limits: Limits;
  #state: GroupState;
  #undropped = false;
  #pruning: Promise<void> = Promise.resolve();
  #closed = false;
  #role: Role = new Between();
  #head: number;
  #hash: string;

  constructor(options: GroupOptions) {
    const { identity, log, start, now } = options;
    this.#options = options;
    this.identity = identity;
    this.log = log;
    this.now = now;
    this.#limits = new Limits(options.rates);
    this.feed = new Feed({
      epoch: start.epoch,
      encode: (packet) => options.encode(packet),
      failed: (error) => options.failed(error),
    });
    this.news = new News(start.epoch);
    this.#head = start.head;
    this.#hash = start.hash;
    this.#state = stateOf(identity, start);
  }

  get state(): GroupState {
    return this.#state;
  }

  /**
   * Decides from now on. Founds a log that is empty, sweeps out invites that count no more, and drops
   * the content of what need not be kept; before that, nothing may be asked.
   *
   * @param holds whether nobody else can decide now, asked for each request; default always
   * @throws {DiskFull} nothing was founded; {Refusal} `stopping`: see `broken`
   */
  async begin(holds: () => boolean = () => true): Promise<void> {
    const { log, broken, full } = this.#options;
    const holder = new Holder({
      log,
      state: this.#state,
      now: this.now,
      broken,
      full,
      committed: (read) => this.#committed(read),
      tell: (batches, read) => this.#tell(batches, read),
      view: this,
      limits: this.#limits,
      holds,
    });
    if (this.#head === 0) await this.#found(holder);
    const dead = () => withoutDeadInvites(this.#state, this.now());
    if (Object.keys(dead()).length > 0) {
      // On a full disk they count no more all the same.
      await holder.submit(() => ({ drafts: [], values: dead(), reply: () => {} })).catch(() => {});
    }
    await this.#prune();
    this.become(holder);
  }

  async #found(holder: Holder): Promise<void> {
    const { id: author, name, key, nonce, founder } = this.identity;
    const body = { nonce, founder };
    const drafts = [{ count: 1, kind: "founded", author, name, key, body } as const];
    try {
      await holder.submit(() => ({ drafts, reply: () => {} }));
    } catch (error) {
      if (!isFull(error)) throw error;
      const message = `Cannot found the group "${name}": the disk of its log is full; make room, ` +
        "then start it again";
      throw new DiskFull(message, { cause: error });
    }
  }

  /** Whoever asks is answered so from now on. */
  become(role: Role): void {
    if (this.#role instanceof Between) this.#role.end(role);
    this.#role = role;
  }

  /** Until there is another role, who asks waits for it. */
  async resign(): Promise<void> {
    const former = this.#role;
    if (former instanceof Between) return;
    this.#role = new Between();
    await former.close();
  }

  /**
   * Decides from now on, at the head of a log that was just claimed: what is in it and was not seen
   * here is told first, in order.
   *
   * @throws {LogDamaged} the log is not the one that was followed; what `begin` throws
   */
  async takeOver(start: LogStart, holds: () => boolean): Promise<void> {
    if (start.head - this.#head <= FAR_BEHIND) await this.catchUp(start.head);
    const isSame = start.head === this.#head && start.hash === this.#hash;
    if (start.head < this.#head || (start.head === this.#head && !isSame)) {
      throw this.#other(this.#head);
    }
    this.jump(start);
    await this.begin(holds);
  }

  /**
   * Goes on from what the log is now. What lies between is not told: who follows reads it.
   *
   * @throws {LogDamaged} it is another log
   */
  jump(start: LogStart): void {
    if (start.epoch !== this.#state.epoch) throw this.#other(0);
    this.#state = stateOf(this.identity, start);
    const isBehind = this.#head !== start.head;
    this.#head = start.head;
    this.#hash = start.hash;
    if (!isBehind) return;
    for (const user of this.presence.own()) this.#out(user, undefined);
    this.announce();
  }

  /**
   * Reads the log up to `head`, and tells of it what was not told yet. One at a time.
   *
   * @throws {LogAway}; {LogDamaged} the log does not go on from what was told
   */
  async catchUp(head: number): Promise<void> {
    while (this.#head < head) {
      const range = { after: this.#head, before: head + 1, limit: CATCH_UP, bytes: READ_UNITS };
      const read = await this.log.read(range);
      if (read.length === 0) throw this.#other(this.#head + 1);
      for (const one of read) {
        if (!this.take(JSON.parse(one.json))) throw this.#other(one.first);
      }
    }
  }

  #other(seq: number): LogDamaged {
    const message = `Cannot trust entry ${seq}: the log is not the one that was followed`;
    return new LogDamaged(this.log.engine, seq, message);
  }

  /** Takes a batch that the holder or the log tells; false where it does not go on from the head. */
  take(batch: Batch): boolean {
    if (endOf(batch) <= this.#head) return true;
    if (!follows({ seq: this.#head, hash: this.#hash }, batch)) return false;
    apply(this.#state, batch);
    const { first, count, at } = batch;
    const read = [{ first, count, at, json: JSON.stringify(batch) }];
    this.#committed(read);
    this.#tell([batch], read);
    return true;
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
      if ("decide" in operation || operation.needs === "holder") {
        return this.#role instanceof Holder
          ? this.#role.decide(operation, known)
          : this.#handOn(operation, known);
      }
      // A server asks itself how far others are.
      if (operation.needs === "here" && !this.#role.isHere) throw outOfReach();
      const wait = operation.needs === "fresh" && !request.handed ? this.#role.fresh() : undefined;
      return wait
        ? wait.then(() => this.#answer(operation, known))
        : this.#answer(operation, known);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Where the holder is lost meanwhile, the next one is asked: every request is safe to repeat. */
  async #handOn<K extends Op>(operation: Operation<K>, known: Known<K>): Promise<Reply<K>> {
    const role = this.#role;
    try {
      return await role.decide(operation, known);
    } catch (error) {
      if (role === this.#role || !(error instanceof Refusal && error.code === "busy")) throw error;
      return await this.#role.decide(operation, known);
    }
  }

  /** Answers at once, by what is known here. */
  #answer<K extends Op>(operation: Asking<K>, request: Known<K>): Promise<Reply<K>> {
    permit(this.#state, request, operation);
    return Promise.resolve(operation.query(this, request)).catch((error) => {
      throw error instanceof LogAway ? noHolder(error) : error;
    });
  }

  /** What other servers go by. @throws {Refusal} `busy`: this one does not decide */
  vouch(): { readonly epoch: string; readonly head: number; readonly hash: string } {
    if (!(this.#role instanceof Holder && this.#role.isHere)) throw noHolder();
    return { epoch: this.#state.epoch, head: this.#head, hash: this.#hash };
  }

  /** Takes a request from its budgets, and writes it down. @throws {Refusal} */
  #admit<K extends Op>(request: Request<K>, operation: Operation<K>): Known<K> {
    const { who, budget, cost = 1, line } = operation;
    const { actor, from, handed } = request;
    const now = this.now();
    const n = typeof cost === "number" ? cost : cost(request);
    if (who === "anyone") this.#limits.take(budget, from, n, now);
    else if (!actor) throw new Refusal("no_session", "Cannot serve the request: prove a key first");
    else {
      // Anyone can claim many ids, so that a connection has no more than one of them would have.
      if (!actor.key && !handed) this.#limits.take(budget, from, n, now);
      this.#limits.take(budget, actor.user, n, now);
      const known = { ...request, actor } as Known<K>;
      if (line && !handed) this.#options.line(requestLine(this.#state, known, operation));
    }
    return ("draws" in operation ? { ...request, drawn: randomToken() } : request) as Known<K>;
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

  /** Drops the content of what need not be kept, where this server decides. */
  async prune(): Promise<void> {
    if (this.#role instanceof Holder) await (this.#pruning = this.#prune());
  }

  /** On a full disk as much as there is room to. */
  async #prune(): Promise<void> {
    const { entries, time } = this.#options.keep ?? {};
    if (entries === undefined && time === undefined) return;
    const drop = requirePower(this.log, "drop", "keep the newest entries only");
    try {
      await drop({
        ...(entries === undefined ? {} : { keepFrom: this.#head - entries + 1 }),
        ...(time === undefined ? {} : { olderThan: this.now() - time }),
      });
      this.#isKept(false);
    } catch (error) {
      if (error instanceof Fenced || error instanceof LogAway) return; // Its holder will.
      // The next time it may go on; who sends meanwhile is told.
      if (!(error instanceof DiskFull)) throw error;
      this.#isKept(true);
    }
  }

  #isKept(now: boolean): void {
    if (now === this.#undropped) return;
    this.#undropped = now;
    this.#options.kept(now);
  }

  /** Tells those who follow how far the log goes, while that can be known here. */
  announce(): void {
    if (!this.#role.isHere) return;
    this.feed.head(this.#head);
    this.news.head(this.#head);
  }

  /**
   * Leaves the log as it is, for others to take over, until what is answered is called: who asks
   * for what would change it is put off.
   */
  async pause(): Promise<() => Promise<void>> {
    await this.resign();
    await this.#pruning.catch(() => {}); // Whoever asked for it is told.
    return async () => {
      if (!this.#closed) await this.begin().catch(this.#options.broken);
    };
  }

  /** Refuses new work and waits until what was accepted is on disk. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#role.close();
    this.feed.close();
  }

  #committed(read: readonly ReadBatch[]): void {
    const last = read[read.length - 1];
    this.#head = last.first + last.count - 1;
    this.#hash = hashOf(last);
  }

  #tell(batches: readonly Batch[], read: readonly ReadBatch[]): void {
    let quiet = true;
    for (const { kind, author, body } of batches) {
      quiet &&= kind === "join" || kind === "rename" || kind === "leave";
      if (kind === "leave") this.#out(author, undefined);
      else if (kind === "remove") this.#out(body!.user as string, "removed from the group");
      else if (kind === "ban") this.#out(body!.user as string, "banned from the group");
    }
    this.news.entries(read);
    // What servers pass on takes a hop more: it leaves before this server's own followers get it.
    if (this.news.size > 0) setImmediate(() => this.feed.entries(read, quiet));
    else this.feed.entries(read, quiet);
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
