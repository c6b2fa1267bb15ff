/** A user: one identity, many groups. What an embedder and every screen works with. */

import process from "node:process";
import { type Code, Refusal, UsageError } from "../errors.ts";
import { type SigningKey, userId } from "../identity/keys.ts";
import { encodeInvite, type Invite, looksLikeInvite } from "../protocol/invite.ts";
import { PRESENT_FOR } from "../protocol/limits.ts";
import { isAddress, isIpc, splitRegistry } from "../text/addresses.ts";
import { nameProblem, normalName } from "../text/names.ts";
import type { Listing } from "../protocol/schema.ts";
import type { Pins } from "../session/registry_client.ts";
import type { Transport } from "../transport/transport.ts";
import { ping } from "./alive.ts";
import { Connections } from "./connections.ts";
import { askGroup, askRegistry, type ServerFound } from "./diagnosis.ts";
import { type Fingerprint, fingerprint } from "./fingerprint.ts";
import { findGroup, readInvite, targetOf } from "./finding.ts";
import { follow, type FollowNote } from "./follow.ts";
import { KnownGroups } from "./groups.ts";
import { readLog } from "./reading.ts";
import { Registries } from "./registries.ts";
import { findUser, readRoster } from "./roster.ts";
import type { Receipt } from "./sender.ts";
import type { StoredGroup, UserStore } from "../store/user_store.ts";
import { trustGroup, trustRegistry } from "./trust.ts";
import type {
  Action,
  FollowRange,
  GroupEntry,
  InviteTerms,
  JoinedGroup,
  MemberInfo,
  ReadOptions,
  RegistryInfo,
  Trusted,
  UserEvent,
} from "./types.ts";

export interface UserOptions {
  readonly transport: Transport;
  readonly store: UserStore;
  readonly key: SigningKey;
  readonly name: string;
  /** `HOST:PORT` of each registry, or `HOST:PORT#KEY`. */
  readonly registries: readonly string[];
  readonly mid: () => string;
  /** Keeps a changed name. */
  renamed?(name: string): void;
}

/** What a group answers to one who is no member any more. */
const PUT_OUT: ReadonlySet<string> = new Set<Code>(["not_member", "banned"]);
/** How long a send may stay unanswered before its caller is told, ms; it stays in the outbox. */
const SEND_WITHIN = 4_500;

/** See the head of this file. */
export class User implements AsyncDisposable {
  /** User id: a UUID made from the public key. */
  readonly id: string;
  /** `HOST:PORT` of each registry, or `HOST:PORT#KEY`, as they were given. */
  readonly registries: readonly string[];
  readonly #options: UserOptions;
  readonly #pins: Pins;
  readonly #registries: Registries;
  readonly #groups: KnownGroups;
  readonly #connections: Connections;
  readonly #listeners = new Set<(event: UserEvent) => void>();
  /** When this user last said that it writes, by group id, ms by `performance.now()`. */
  readonly #typed = new Map<string, number>();
  #name: string;
  #closing: Promise<void> | undefined;

  constructor(options: UserOptions) {
    const { transport, registries, store, key, name } = options;
    this.#options = options;
    this.#name = name;
    this.id = userId(key.publicKey);
    this.registries = registries;
    this.#pins = {
      get: (address) => store.pinned(address),
      set: (address, key) => store.pin(address, key),
    };
    const warn = (text: string) => this.#emit({ type: "warning", text });
    this.#registries = new Registries({ transport, registries, pins: this.#pins, warn });
    this.#groups = new KnownGroups(store);
    this.#connections = new Connections({
      ...options,
      registries: this.#registries,
      groups: this.#groups,
      name: () => this.#name,
      emit: (event) => this.#emit(event),
    });
  }

  /** The name other members see. */
  get name(): string {
    return this.#name;
  }

  /** Changes the name, in every joined group that answers. @throws {UsageError} not usable */
  async rename(name: string): Promise<void> {
    const wanted = normalName(name);
    const problem = nameProblem(wanted);
    if (problem) throw new UsageError(`Cannot use the name "${wanted}": ${problem}`);
    this.#name = wanted;
    this.#options.renamed?.(wanted);
    await Promise.all(this.#groups.joined.map(async ({ id }) => {
      const { link } = this.#connections.open(id);
      link.renew();
      await link.ask("join", {}).catch(() => {}); // One that does not answer hears it later.
    }));
  }

  /** All groups of all registries, by name. @throws {Unreachable} no registry answers */
  list({ prefix }: { prefix?: string } = {}): Promise<Listing[]> {
    return this.#registries.list(prefix);
  }

  /**
   * Becomes a member of a group.
   *
   * @param target a group's name, its `IP:PORT`, or an invite (`zgroup://…`)
   * @throws {Refusal} `not_found`, `banned`, `forbidden`, `bad_invite`; {Unreachable};
   * {IdentityChanged}; {UsageError} the invite is not a whole one
   */
  async join(target: string): Promise<JoinedGroup> {
    const invite = looksLikeInvite(target) ? readInvite(target) : undefined;
    const found = invite
      ? targetOf(invite, this.#groups.all)
      : await findGroup(target, this.#groups.all, this.#registries);
    const known = this.#groups.get(found.id);
    if (known) this.#groups.learn(found);
    // An earlier one may wait at an address where the group is no more.
    if (!known?.joined) await this.#connections.drop(found.id);
    const link = known ? this.#connections.open(known.id).link : this.#connections.link(found); // A stranger's name is kept when it has proved to be its.
    try {
      const token = invite ? { invite: invite.token } : {};
      const { epoch, head, role } = await link.ask("join", token);
      link.know(epoch, head);
      this.#groups.enter(link.target, role, epoch);
      this.#groups.admitted(link.target.id, link.ticket);
      if (!this.#connections.get(link.target.id)) this.#connections.adopt(link);
    } finally {
      if (this.#connections.get(link.target.id)?.link !== link) await link.close();
    }
    if (invite) this.#pinFrom(invite);
    return this.#info(this.#groups.get(link.target.id)!);
  }

  /** The registry of an invite is the one that the inviter knows. */
  #pinFrom({ registry }: Invite): void {
    const { address, key } = splitRegistry(registry) ?? {};
    if (address && key && !this.#pins.get(address)) this.#pins.set(address, key);
  }

  /** A link by which others can join. @throws {Refusal} `forbidden`; {Unreachable} */
  async invite(target: string, terms: InviteTerms = {}): Promise<string> {
    const { link } = this.#connections.open(this.#groups.member(target).id);
    const { token, expires: until, record } = await link.ask("invite", terms);
    if (isIpc(record.address)) {
      const message = `Cannot invite to "${record.name}": it is reached on its own machine only`;
      throw new Refusal("bad_request", message);
    }
    const { address, key } = this.#registries.all.find(({ key }) => key !== undefined) ?? {};
    const registry = address && key ? `${address}#${key}` : "";
    return encodeInvite({ record, token, until, registry });
  }

  /**
   * Promotes, demotes, removes, bans, unbans, mutes, unmutes a member, or sets the topic; answers
   * the seq of the entry, from which on it counts.
   *
   * @throws {Refusal} `forbidden`, `not_found`; {Unreachable}
   */
  async act(target: string, action: Action): Promise<number> {
    const { link } = this.#connections.open(this.#groups.member(target).id);
    const user = action.user === undefined ? {} : { user: await findUser(link, action.user) };
    return (await link.ask("act", { ...action, ...user })).seq as number;
  }

  /**
   * Accepts whoever answers as a known group now, or as the registry of a `HOST:PORT`. Where that is
   * the one that is known, nothing changes; otherwise the former is forgotten.
   *
   * @throws {Refusal} `not_found`, `forbidden` the registry's key was given; {Unreachable} nobody
   * answers; {IdentityChanged} what answers is none
   */
  async trust(target: string): Promise<Trusted> {
    const wanted = isAddress(target) ? target : normalName(target);
    const { transport } = this.#options;
    const [registries, groups, connections] = [this.#registries, this.#groups, this.#connections];
    const known = groups.all.find(({ name, address }) => name === wanted || address === wanted);
    const registry = registries.all.find(({ address }) => address === wanted);
    if (known) return await trustGroup({ known, transport, registries, groups, connections });
    if (registry) return await trustRegistry(registry, transport, this.#pins);
    throw new Refusal("not_found", `Cannot trust "${wanted}": it is not known`);
  }

  /** The registries, and the keys that they must have. */
  registryKeys(): RegistryInfo[] {
    return this.#registries.all.map(({ address, key, given }) => ({ address, key, given }));
  }

  /** What the group is about; empty when nobody said. @throws {Refusal} `not_member`; {Unreachable} */
  async topic(target: string): Promise<string> {
    return (await readRoster(this.#connections.open(this.#groups.member(target).id).link)).topic;
  }

  /** The groups joined, after asking each for its head; bounded to 3 s. */
  async check(): Promise<readonly JoinedGroup[]> {
    await Promise.all(this.#groups.joined.map(async ({ id }) => {
      const { link } = this.#connections.open(id);
      await ping(link, 2_500);
    }));
    return this.joined();
  }

  /** Ends a membership. @throws {Refusal} `not_member`, `not_found`; {Unreachable} */
  async leave(target: string): Promise<void> {
    const group = this.#groups.member(target);
    try {
      await this.#connections.open(group.id).link.ask("leave", {});
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "not_member")) throw error;
    }
    this.#groups.leave(group);
    await this.#connections.drop(group.id);
  }

  /** The groups joined, by name. */
  joined(): readonly JoinedGroup[] {
    return this.#groups.joined.map((group) => this.#info(group));
  }

  /**
   * Sends a text; resolves when it is on the group's disk. It is in the outbox first: if this
   * rejects with {@linkcode Unreachable} it is still there and goes out when the group answers.
   *
   * @param text 1 to 65,536 bytes of UTF-8
   * @param within ms until {@linkcode Unreachable}; default 4,500
   * @throws {Refusal} `not_member`, `too_large`, …; {Unreachable}; {Closed}
   */
  send(target: string, text: string, { within = SEND_WITHIN } = {}): Promise<Receipt> {
    try {
      return this.#connections.open(this.#groups.member(target).id).sender.send(text, within);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Entries of a group's log, ascending. @throws {Refusal} `not_member`; {Unreachable} */
  read(target: string, options: ReadOptions = {}): AsyncGenerator<GroupEntry> {
    return readLog(() => this.#connections.open(this.#groups.member(target).id).link, options);
  }

  /**
   * The hash of a group's history up to an entry (default: all), computed from what it serves.
   *
   * @throws {LogDamaged} it is not what its hashes say; {Refusal} `not_member`; {Unreachable}
   */
  fingerprint(target: string, { at }: { at?: number } = {}): Promise<Fingerprint> {
    return fingerprint(this.#connections.open(this.#groups.member(target).id).link, at);
  }

  /** Asks every registry and every joined group whether it answers; bounded to some seconds. */
  diagnose(): Promise<ServerFound[]> {
    const groups = this.#groups.joined;
    return Promise.all([
      ...this.#registries.all.map(askRegistry),
      ...groups.map(({ id }) => askGroup(this.#connections.open(id).link)),
    ]);
  }

  /** Who is a member, by user id. @throws {Refusal} `not_member`; {Unreachable} */
  async members(target: string): Promise<MemberInfo[]> {
    return (await readRoster(this.#connections.open(this.#groups.member(target).id).link)).members;
  }

  /**
   * Every entry after a seq or since a time (ms), in order, once, and then live until the signal is
   * aborted, the group is left, or this user is closed. Without `after` and `since` it begins at
   * the cursor. A group that does not answer is waited for. Another epoch than `epoch` (by default
   * the cursor's) starts over at 1, and the event `epoch` says so.
   *
   * A consumer that is slow gets what it missed from the log: nothing is left out.
   *
   * @throws {Refusal} `not_member`, `banned`, also when the membership ends; {IdentityChanged}
   */
  async *follow(target: string, options: FollowRange = {}): AsyncGenerator<GroupEntry> {
    const { after, since, epoch, signal } = options;
    const group = this.#groups.member(target);
    const { link } = this.#connections.open(group.id);
    const at = this.#groups.cursor(group);
    const range = after === undefined && since === undefined
      ? { after: at.cursor, epoch: at.epoch }
      : { ...(after === undefined ? { since } : { after }), epoch };
    const followed = follow({
      link,
      ...range,
      signal,
      note: (note) => this.#note(group.name, note),
    });
    try {
      for await (const entry of followed) yield { group: group.name, ...entry };
    } catch (error) {
      if (error instanceof Refusal && PUT_OUT.has(error.code)) {
        this.#groups.leave(link.target);
      }
      throw error;
    }
  }

  /**
   * Moves the stored cursor of a group forward to an entry that the user has seen. It is on disk
   * 50 ms later, or when this user is closed.
   */
  seen(target: string, seq: number, epoch?: string): void {
    const group = this.#groups.member(target);
    this.#groups.seen(group, epoch ?? this.#groups.cursor(group).epoch, seq);
  }

  /** Tells the members who follow that this user is writing; never logged. */
  typing(target: string): void {
    const { id } = this.#groups.member(target);
    const now = performance.now(); // The date may go back.
    if (now - (this.#typed.get(id) ?? -Infinity) < PRESENT_FOR / 2) return;
    this.#typed.set(id, now);
    this.#connections.open(id).link.ask("typing", {}, { within: 1_000 }).catch(() => {});
  }

  /** Calls back for everything beside the entries; answers how to stop that. */
  on(listener: (event: UserEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Ends everything, within a second: followers end, what was not sent within 500 ms stays in the
   * outbox. Twice is harmless; what is called later fails with {@linkcode Closed}.
   */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      await this.#connections.close();
      await this.#registries.close();
      this.#groups.close();
    })();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #info(group: StoredGroup): JoinedGroup {
    const { id, name, address, role, key } = group;
    const { cursor } = this.#groups.cursor(group);
    const open = this.#connections.get(id);
    const state = open?.link.state ?? "connecting";
    const unread = Math.max(0, (open?.link.head ?? 0) - cursor);
    const waiting = open?.sender.waiting ?? 0;
    return { id, name, address, role, state, unread, waiting, cursor, key };
  }

  #note(group: string, note: FollowNote): void {
    if (note.type === "typing" && note.user === this.id) return;
    this.#emit({ ...note, group });
  }

  #emit(event: UserEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // A defect of the listener's, not of what goes on here.
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
