/**
 * What a group does for those who ask, whatever dialect they speak: one method a request.
 * Owns state and writer; knows nothing of frames.
 */

import { Refusal } from "../errors.ts";
import { midMaker } from "../identity/mids.ts";
import { hashOf } from "../log/chain.ts";
import type { Log, LogStart, ReadBatch } from "../log/log.ts";
import type { Batch } from "../protocol/batch.ts";
import { MAX_BATCH_BYTES, MAX_MEMBERS, MAX_TEXT } from "../protocol/limits.ts";
import type { Message } from "../protocol/schema.ts";
import { randomToken } from "../identity/keys.ts";
import { Admission } from "./admission.ts";
import { Feed } from "./feed.ts";
import { makeInvite, openInvite, useInvite } from "./invites.ts";
import { type Keep, Limits, type Rates } from "./limits.ts";
import { type Act, atLeast, banKey, decideAct } from "./roles.ts";
import { readReply, type ReadRequest } from "./reading.ts";
import type { Sessions } from "./sessions.ts";
import {
  type Actor,
  decideJoin,
  decideLeave,
  decideSend,
  type GroupState,
  type Member,
  requireMember,
  requireUnbanned,
  type Role,
  type Run,
  type SendPlan,
  suspects,
  toRun,
} from "./state.ts";
import { Writer } from "./writer.ts";

/** What makes a group itself: made once, kept with its data. */
export interface GroupIdentity {
  /** UUID made of key, name and nonce. */
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly nonce: string;
  /** User id of the founder; empty when there is none. */
  readonly founder: string;
  /** CURVE key of the founder, so that a private group has somebody to begin with. */
  readonly founderCurve?: string;
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

export interface ServiceOptions {
  readonly identity: GroupIdentity;
  readonly log: Log;
  readonly start: LogStart;
  readonly sessions: Sessions;
  readonly now: () => number;
  readonly rates?: Rates;
  readonly keep?: Keep;
  /** The log failed: the server must stop. */
  broken(error: unknown): void;
}

/** How long subscribing again may take, ms; a round trip, and what thousands of members need. */
const HEAD_AFTER_CHANGE = 100;

/** See the head of this file. */
export class GroupService {
  readonly identity: GroupIdentity;
  readonly epoch: string;
  readonly feed: Feed;
  readonly state: GroupState;
  readonly sessions: Sessions;
  readonly now: () => number;
  readonly admission: Admission;
  readonly limits: Limits;
  readonly #keep: Keep;
  readonly #log: Log;
  readonly #writer: Writer;
  readonly #mid: () => string;
  #headDue: ReturnType<typeof setTimeout> | undefined;
  #tail: number;
  /** What readers may see: behind `state.head` while a commit is under way. */
  #durable: number;
  /** Hash of all that is on disk, base64url. */
  #hash: string;

  constructor(options: ServiceOptions) {
    const { identity, log, start, sessions, now, broken, keep = {} } = options;
    this.limits = new Limits(options.rates);
    this.#keep = keep;
    this.identity = identity;
    this.epoch = start.epoch;
    this.sessions = sessions;
    this.now = now;
    this.feed = new Feed(start.epoch);
    this.#log = log;
    this.#tail = start.tail;
    this.#durable = start.head;
    this.#hash = start.hash;
    this.state = {
      id: identity.id,
      name: identity.name,
      founder: identity.founder,
      access: identity.access,
      members: new Map(start.members.map(({ user, json }) => [user, JSON.parse(json) as Member])),
      head: start.head,
      at: start.at,
      lastMid: new Map(start.lastMid),
      values: new Map(Object.entries(start.values)),
    };
    this.admission = new Admission(this.state, identity.founderCurve);
    this.#mid = midMaker();
    this.#writer = new Writer({
      log,
      state: this.state,
      now,
      broken,
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

  /** Makes the actor a member; again is fine. Refuses `banned`, `forbidden`. */
  join(actor: Actor, curve: string | undefined, answer: Answer<Joined>): void {
    this.#join(actor, { ...(curve ? { curve } : {}) }, undefined, answer);
  }

  /** Makes the actor a member by an invite, and admits its CURVE key. Refuses `bad_invite`. */
  redeem(actor: Actor, curve: string, invite: string, answer: Answer<Joined>): void {
    this.#join(actor, { curve }, invite, {
      ok: (joined) => {
        this.admission.let(curve, actor.user);
        answer.ok(joined);
      },
      refuse: (error) => answer.refuse(error),
    });
  }

  /** Lets a proved user connect. @throws {Refusal} `banned`; `forbidden` in a private group */
  admit(actor: Actor, curve: string): void {
    const { state } = this;
    requireUnbanned(state, actor.user);
    const known = state.members.has(actor.user) || actor.user === state.founder;
    if (state.access === "private" && !known) {
      const message = `Cannot enter "${state.name}": it is private, ask a member for an invite`;
      throw new Refusal("forbidden", message);
    }
    this.admission.let(curve, actor.user);
  }

  #join(
    actor: Actor,
    entrance: { curve?: string },
    invite: string | undefined,
    answer: Answer<Joined>,
  ): void {
    let used: number | undefined;
    this.#writer.submit({
      size: 512,
      decide: (state, _, now) => {
        // A member who comes with an invite lost the answer to its first try.
        const needed = invite !== undefined && !state.members.has(actor.user);
        const role = needed ? openInvite(state, invite, now).role : undefined;
        used = needed ? now : undefined;
        const draft = decideJoin(state, actor, { ...entrance, ...(role ? { role } : {}) });
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
    this.feed.hint({ typing: { user: actor.user, name: actor.name } });
  }

  /** Drops the content of what need not be kept. */
  async prune(): Promise<void> {
    const { entries, time } = this.#keep;
    if (entries === undefined && time === undefined) return;
    this.#tail = await this.#log.drop({
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

  /** Appends messages; answers their runs once they are on disk. `size` is the request's, bytes. */
  send(
    actor: Actor,
    messages: readonly Message[],
    sig: string | undefined,
    size: number,
    answer: Answer<readonly Run[]>,
  ): void {
    if (size > MAX_BATCH_BYTES) {
      const message = `Cannot send: the request is above ${MAX_BATCH_BYTES} bytes, split it`;
      return answer.refuse(new Refusal("too_large", message));
    }
    let plan: SendPlan;
    this.#writer.submit({
      size,
      suspects: (state) => ({
        author: actor.user,
        mids: suspects(state, actor.user, messages),
      }),
      decide: (state, seen, now) => {
        plan = decideSend(state, actor, messages, sig, seen, now);
        return plan.drafts;
      },
      done: (batches) => answer.ok(plan.runs.map((run) => toRun(run, batches))),
      failed: (error) => answer.refuse(error),
    });
  }

  /** One text of a user whose dialect has no message ids. */
  say(actor: Actor, text: string, answer: Answer<readonly Run[]>): void {
    const size = new TextEncoder().encode(text).length;
    if (size > MAX_TEXT) {
      return answer.refuse(
        new Refusal("too_large", `Cannot send: the text is above ${MAX_TEXT} bytes`),
      );
    }
    this.send(actor, [[this.#mid(), text]], undefined, size + 256, answer);
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
    const { role } = requireMember(this.state, actor.user);
    const now = this.now();
    const all = [...this.state.members.values()]
      .filter(({ user }) => user > after)
      .sort((a, b) => (a.user < b.user ? -1 : 1));
    const page = all.slice(0, MAX_MEMBERS).map(({ user, name, role }) => ({
      user,
      name,
      role,
      present: this.sessions.present(user, now),
    }));
    const banned = after === "" && atLeast(role, "admin") ? { banned: this.#banned() } : {};
    const topic = this.state.values.get("topic") ?? "";
    return { members: page, more: all.length > page.length, topic, ...banned };
  }

  #banned(): { user: string; name: string }[] {
    const prefix = banKey("");
    return [...this.state.values]
      .filter(([name]) => name.startsWith(prefix))
      .slice(0, MAX_MEMBERS)
      .map(([key, name]) => ({ user: key.slice(prefix.length), name }));
  }

  /** A token for the live feed. @throws {Refusal} `not_member` */
  subscribe(actor: Actor): string {
    requireMember(this.state, actor.user);
    return this.feed.grant(actor.user);
  }

  /** Refuses new work and waits until what was accepted is on disk. */
  close(): Promise<void> {
    clearTimeout(this.#headDue);
    return this.#writer.close();
  }

  #committed(batches: readonly Batch[], read: readonly ReadBatch[]): void {
    const last = read[read.length - 1];
    this.#durable = last.first + last.count - 1;
    this.#hash = hashOf(last);
    let published = 0;
    for (const [i, { kind, author, body }] of batches.entries()) {
      if (kind === "join") this.admission.refresh();
      if (kind !== "leave" && kind !== "remove" && kind !== "ban") continue;
      // What comes after it in the same commit must not reach who is out.
      this.feed.entries(read.slice(published, i + 1));
      published = i + 1;
      if (kind === "leave") this.#putOut(author, false);
      else this.#putOut(body!.user as string, true);
    }
    this.feed.entries(published === 0 ? read : read.slice(published));
  }

  /** From here on the user hears nothing; who was removed must knock and prove again. */
  #putOut(user: string, cut: boolean): void {
    if (this.state.members.has(user)) return;
    if (this.feed.revoke(user)) this.#tellHead();
    if (!cut) return this.admission.refresh();
    this.sessions.endAll(user);
    this.admission.out(user);
  }

  /** What was published while the others subscribed again: the head tells them. */
  #tellHead(): void {
    clearTimeout(this.#headDue);
    this.#headDue = setTimeout(() => this.feed.head(this.#durable), HEAD_AFTER_CHANGE);
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
