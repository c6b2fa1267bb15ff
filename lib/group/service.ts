/**
 * What a group does for those who ask, whatever dialect they speak: one method a request.
 * Owns state, writer and feed; knows nothing of frames.
 */

import { Refusal } from "../errors.ts";
import { randomToken, userId } from "../identity/keys.ts";
import { midMaker } from "../identity/mids.ts";
import { hashOf } from "../log/chain.ts";
import { type Log, type LogStart, type ReadBatch, requirePower } from "../log/log.ts";
import { type Batch, CLAIM } from "../protocol/batch.ts";
import { MAX_BATCH_BYTES, MAX_MEMBERS, MAX_TEXT } from "../protocol/limits.ts";
import type { Message } from "../protocol/schema.ts";
import type { Session } from "../session/server.ts";
import type { Encoded, Peer } from "../transport/transport.ts";
import { Feed } from "./feed.ts";
import { makeInvite, openInvite, useInvite } from "./invites.ts";
import { type Keep, Limits, type Rates } from "./limits.ts";
import { Members } from "./members.ts";
import { Pages } from "./pages.ts";
import { Presence } from "./presence.ts";
import { type Act, atLeast, decideAct } from "./roles.ts";
import { readReply, type ReadRequest } from "./reading.ts";
import {
  type Actor,
  decideJoin,
  decideLeave,
  decideSend,
  type GroupState,
  type Member,
  requireMember,
  type Role,
  type Run,
  type SendPlan,
  suspects,
  toRun,
} from "./state.ts";
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

/** How an answer gets back to whoever asked. Exactly one is called, once. */
export interface Answer<T> {
  ok(value: T): void;
  refuse(error: unknown): void;
}

/** What a join tells. */
export interface Joined {
  readonly head: number;
  readonly role: string;
}

/** Messages of one request. */
export interface Sending {
  readonly messages: readonly Message[];
  readonly sig?: string | undefined;
  /** Of the request, bytes. */
  readonly size: number;
  /** Absent in a dialect. */
  readonly place?: Place;
}

/** Where a request stands among those of its session. */
export interface Place {
  readonly session: Session;
  /** The message that must be the last one accepted before. */
  readonly after?: string | undefined;
}

export interface ServiceOptions extends Pick<WriterOptions, "broken" | "full"> {
  readonly identity: GroupIdentity;
  readonly log: Log;
  readonly start: LogStart;
  readonly now: () => number;
  readonly rates?: Rates;
  readonly keep?: Keep;
  /** Makes a packet of the feed ready for all who follow. */
  encode(packet: Uint8Array): Encoded;
  /** Something that nobody asked for failed here. */
  failed(error: unknown): void;
}

/** See the head of this file. */
export class GroupService {
  readonly identity: GroupIdentity;
  readonly epoch: string;
  readonly feed: Feed;
  readonly state: GroupState;
  readonly presence: Presence = new Presence();
  readonly pages: Pages = new Pages();
  readonly now: () => number;
  readonly limits: Limits;
  readonly #keep: Keep;
  readonly #log: Log;
  readonly #writer: Writer;
  readonly #mid: () => string;
  /** The last message that each session had accepted, unless a request was refused since. */
  readonly #sent = new WeakMap<Session, string>();
  #tail: number;
  /** What readers may see: behind `state.head` while a commit is under way. */
  #durable: number;
  /** Hash of all that is on disk, base64url. */
  #hash: string;

  constructor(options: ServiceOptions) {
    const { identity, log, start, now, broken, full, keep = {} } = options;
    this.limits = new Limits(options.rates);
    this.#keep = keep;
    this.identity = identity;
    this.epoch = start.epoch;
    this.now = now;
    this.feed = new Feed({
      epoch: start.epoch,
      encode: (packet) => options.encode(packet),
      failed: (error) => options.failed(error),
    });
    this.#log = log;
    this.#tail = start.tail;
    this.#durable = start.head;
    this.#hash = start.hash;
    this.state = {
      id: identity.id,
      name: identity.name,
      founder: identity.founder,
      access: identity.access,
      members: new Members(start.members.map(({ json }) => toMember(json))),
      head: start.head,
      at: start.at,
      lastMid: new Map(),
      values: new Values(Object.entries(start.values)),
    };
    this.#mid = midMaker();
    this.#writer = new Writer({
      log,
      state: this.state,
      now,
      broken,
      full,
      committed: (batches, read) => this.#committed(batches, read),
    });
    if (start.head === 0) this.#found();
  }

  /** Highest seq that is on disk. */
  get head(): number {
    return this.#durable;
  }

  /** Hash of the history up to the head. */
  get hash(): string {
    return this.#hash;
  }

  /** The session is its key's from now on. @throws {Refusal} `bad_proof` */
  prove(session: Session, proof: { key: string; name: string; sig: string }): Actor {
    const { key, name, sig } = proof;
    if (!session.prove(key, sig)) {
      const message = "Cannot prove: the signature does not fit the key and this session";
      throw new Refusal("bad_proof", message);
    }
    session.actor = { user: userId(key), name, key };
    session.peer.admit();
    this.presence.add(session.actor.user, session);
    return session.actor;
  }

  /** The session is over; on its connection another one may begin, with what is left of its budget. */
  gone(session: Session): void {
    this.feed.unfollow(session);
    if (session.actor) this.presence.remove(session.actor.user, session);
  }

  /** The connection is gone. */
  left(peer: Peer): void {
    this.limits.forget(peer.id);
  }

  /**
   * Makes the actor a member; again is fine. Refuses `banned`, `bad_invite`, and `forbidden` in a
   * private group without an invite.
   */
  join(actor: Actor, invite: string | undefined, answer: Answer<Joined>): void {
    let used: number | undefined;
    this.#writer.submit({
      size: 512,
      decide: (state, _, now) => {
        // A member who comes with an invite lost the answer to its first try.
        const needed = invite !== undefined && !state.members.has(actor.user);
        const role = needed ? this.#roleOf(invite, now) : undefined;
        used = needed ? now : undefined;
        const draft = decideJoin(state, actor, role);
        return draft ? [draft] : [];
      },
      values: (state) => (used === undefined ? {} : useInvite(state, invite!, used)),
      done: () =>
        answer.ok({
          head: this.#durable,
          role: this.state.members.get(actor.user)?.role ?? "member",
        }),
      failed: (error) => answer.refuse(error),
    });
  }

  #roleOf(invite: string, now: number): Role {
    try {
      return openInvite(this.state, invite, now).role;
    } catch (error) {
      this.limits.wrongInvite(this.now());
      throw error;
    }
  }

  /** What an admin does to a member or the group; answers the seq of the entry. */
  act(actor: Actor, act: Act, answer: Answer<{ seq: number }>): void {
    this.#writer.submit({
      size: 512,
      decide: (state, _, now) => [decideAct(state, actor, act, now)],
      done: ([batch]) => answer.ok({ seq: batch.first }),
      failed: (error) => answer.refuse(error),
    });
  }

  /** A token that lets others join; answers it once it is on disk. */
  invite(
    actor: Actor,
    terms: { uses: number; for: number; role: Exclude<Role, "founder"> },
    answer: Answer<{ token: string; expires: number }>,
  ): void {
    const token = randomToken();
    const now = this.now();
    const expires = now + terms.for;
    const { uses, role } = terms;
    this.#writer.submit({
      size: 512,
      decide: (state) => {
        const member = requireMember(state, actor.user);
        makeInvite(state, member, token, { uses, expires, role }, now);
        return [];
      },
      values: (state) => {
        const member = requireMember(state, actor.user);
        return makeInvite(state, member, token, { uses, expires, role }, now);
      },
      done: () => answer.ok({ token, expires }),
      failed: (error) => answer.refuse(error),
    });
  }

  /** Tells those who follow that a member writes. @throws {Refusal} `not_member` */
  typing(actor: Actor): void {
    requireMember(this.state, actor.user);
    this.feed.typing(actor.user, actor.name);
  }

  /** Drops the content of what need not be kept. */
  async prune(): Promise<void> {
    const { entries, time } = this.#keep;
    if (entries === undefined && time === undefined) return;
    const drop = requirePower(this.#log, "drop", "keep the newest entries only");
    this.#tail = await drop({
      ...(entries === undefined ? {} : { keepFrom: this.#durable - entries + 1 }),
      ...(time === undefined ? {} : { olderThan: this.now() - time }),
    });
  }

  /** Ends a membership. Refuses `not_member`. */
  leave(actor: Actor, answer: Answer<Record<never, never>>): void {
    this.#writer.submit({
      size: 512,
      decide: (state) => [decideLeave(state, actor)],
      done: () => answer.ok({}),
      failed: (error) => answer.refuse(error),
    });
  }

  /**
   * Appends messages; answers their runs once they are on disk. Refuses `out_of_order` where `place`
   * names a message that was not the last to be accepted in its session.
   *
   * @param size the request's, bytes
   */
  send(
    actor: Actor,
    { messages, sig, size, place }: Sending,
    answer: Answer<readonly Run[]>,
  ): void {
    if (size > MAX_BATCH_BYTES) {
      const message = `Cannot send: the request is above ${MAX_BATCH_BYTES} bytes, split it`;
      return answer.refuse(new Refusal("too_large", message));
    }
    let plan: SendPlan;
    this.#writer.submit({
      size,
      messages: {
        author: actor.user,
        suspects: (state) => suspects(state, actor.user, messages),
      },
      decide: (state, seen, now) => {
        if (place) this.#requireOrder(place);
        plan = decideSend(state, actor, messages, sig, seen, now);
        if (place) this.#sent.set(place.session, messages[messages.length - 1][0]);
        return plan.drafts;
      },
      done: (batches) => answer.ok(plan.runs.map((run) => toRun(run, batches))),
      failed: (error) => {
        if (place) this.#sent.delete(place.session);
        answer.refuse(error);
      },
    });
  }

  /** What was sent behind a request that was refused does not overtake it. */
  #requireOrder({ session, after }: Place): void {
    if (after === undefined || this.#sent.get(session) === after) return;
    throw new Refusal(
      "out_of_order",
      "Cannot send: the request before this one was not accepted on this connection; send that first",
    );
  }

  /** One text of a user whose dialect has no message ids. */
  say(actor: Actor, text: string, answer: Answer<readonly Run[]>): void {
    const size = new TextEncoder().encode(text).length;
    if (size > MAX_TEXT) {
      return answer.refuse(
        new Refusal("too_large", `Cannot send: the text is above ${MAX_TEXT} bytes`),
      );
    }
    this.send(actor, { messages: [[this.#mid(), text]], size: size + 256 }, answer);
  }

  /** JSON text of a range of entries. @throws {Refusal} `not_member` */
  read(actor: Actor, request: ReadRequest): Promise<string> {
    requireMember(this.state, actor.user);
    return readReply(this.#log, request, {
      epoch: this.epoch,
      head: this.#durable,
      tail: this.#tail,
    });
  }

  /** Members after a user id, ascending, with who is here now. @throws {Refusal} `not_member` */
  members(actor: Actor, after: string): object {
    const { members, values } = this.state;
    const { role } = requireMember(this.state, actor.user);
    const now = performance.now();
    const found = members.page(after, MAX_MEMBERS + 1);
    const page = found.slice(0, MAX_MEMBERS).map(({ user, name, role }) => ({
      user,
      name,
      role,
      present: this.presence.here(user, now),
    }));
    const banned = after === "" && atLeast(role, "admin")
      ? { banned: values.banned(MAX_MEMBERS) }
      : {};
    const topic = values.get("topic") ?? "";
    return { members: page, more: found.length > page.length, topic, ...banned };
  }

  /** The session hears the live feed from now on. @throws {Refusal} `not_member`, `busy` */
  subscribe(actor: Actor, session: Session): { generation: number; key: string; head: number } {
    const { since } = requireMember(this.state, actor.user);
    if (since > this.#durable) {
      // A full disk would take the join back, and leave a follower who is no member.
      throw new Refusal("busy", "Cannot subscribe: your join is not on disk yet, ask again", {
        retryAfter: 50,
      });
    }
    return { ...this.feed.follow(session), head: this.#durable };
  }

  /** Refuses new work and waits until what was accepted is on disk. */
  async close(): Promise<void> {
    await this.#writer.close();
    this.feed.close();
  }

  #committed(batches: readonly Batch[], read: readonly ReadBatch[]): void {
    const last = read[read.length - 1];
    this.#durable = last.first + last.count - 1;
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
    const sessions = this.presence.of(user);
    this.feed.out(sessions, why !== undefined);
    if (why !== undefined) { for (const session of sessions) session.cut(why); }
  }

  #found(): void {
    const { id, name, key, nonce, founder } = this.identity;
    this.#writer.submit({
      size: 512,
      decide: () => [{
        count: 1,
        kind: "founded",
        author: id,
        name,
        key,
        body: { nonce, founder },
      }],
      done: () => {},
      failed: () => {},
    });
  }
}

/** A member as its row says it; rows of older versions say more. */
function toMember(json: string): Member {
  const { user, name, role, key, since } = JSON.parse(json) as Member;
  return { user, name, role, ...(key ? { key } : {}), since };
}
