/** A user: one identity, many groups. What an embedder and every screen works with. */

import { userId } from "../identity/keys.ts";
import type { GroupEntry } from "../protocol/batch.ts";
import type { Listing } from "../protocol/schema.ts";
import { CHECK_WITHIN, Connections, type Parts } from "./connections.ts";
import { diagnose } from "./diagnosis.ts";
import { fingerprint } from "./fingerprint.ts";
import { follow } from "./follow.ts";
import { followOptions } from "./following.ts";
import { KnownGroups, toWanted } from "./groups.ts";
import { GroupInvites } from "./invites.ts";
import { joinGroup } from "./joining.ts";
import type { Link } from "./link.ts";
import { Listeners } from "./listeners.ts";
import { readBanned, readMembers, readTopic, toAct } from "./members.ts";
import { Outbox } from "./outbox.ts";
import { checkRead, readLog } from "./reading.ts";
import { OwnName } from "./own_name.ts";
import { Registries } from "./registries.ts";
import { pinsOf } from "./registry_link.ts";
import { trust } from "./trust.ts";
import type {
  Action,
  BannedInfo,
  Fingerprint,
  Flushed,
  FlushOptions,
  FollowRange,
  Invites,
  InviteTerms,
  JoinedGroup,
  JoinOptions,
  Left,
  MemberInfo,
  NamesCompared,
  ReadOptions,
  Receipt,
  RegistryInfo,
  SendOptions,
  ServerFound,
  Trusted,
  Unsent,
  UserEvent,
} from "./types.ts";
import type { UserOptions } from "./user_options.ts";

/**
 * A user in this process. Wherever a group is named, its name, its `IP:PORT` or its id will do; it
 * must be joined, or the call fails with a {@linkcode Refusal} `not_member`.
 *
 * A request is asked again until it succeeds, is refused for good, or 4.5 s are over: then it fails
 * with {@linkcode Unreachable}. It goes to the group that was met first under a name and to no other:
 * with another in its place it fails with {@linkcode IdentityChanged}, and with something that
 * answers what it may not with {@linkcode BadReply}. Calls may overlap.
 */
export class User implements AsyncDisposable {
  /** User id: a UUID made from the public key. */
  readonly id: string;
  /** `HOST:PORT` of each registry, or `HOST:PORT#KEY`, as they were given. */
  readonly registries: readonly string[];
  /** Invites of the groups joined. */
  readonly invites: Invites;
  readonly #registries: Registries;
  readonly #parts: Parts;
  readonly #listeners: Listeners;
  readonly #outbox: Outbox;
  readonly #name: OwnName;
  #closing: Promise<void> | undefined;

  /** For {@linkcode connect} alone. */
  constructor(options: UserOptions) {
    const { transport, store } = options;
    const { emit } = this.#listeners = new Listeners(store.warnings);
    const id = this.id = userId(options.key.publicKey);
    const warn = (text: string) => emit({ type: "warning", text });
    const changed = () => this.#links().forEach((link) => link.renew());
    this.#name = new OwnName({ ...options, id, changed, warn });
    this.registries = options.registries;
    const means = { transport, pins: pinsOf(store) };
    const registries = this.#registries = new Registries(options.registries, means, warn);
    const groups = new KnownGroups(store, options.kept);
    const name = () => this.#name.current;
    const connections = new Connections({ ...options, registries, groups, name, emit });
    this.invites = new GroupInvites((target) => this.#link(target), registries);
    this.#parts = { ...means, registries, groups, connections };
    this.#outbox = new Outbox(this.#parts, store);
  }

  /** The name other members see; 1 to 64 characters. */
  get name(): string {
    return this.#name.current;
  }

  /**
   * Changes the name that other members see. Resolves when every joined group that answers knows it,
   * after 4.5 s at most; the others, and those that are known to be away, hear it later.
   *
   * @param name 1 to 64 characters, no controls; spaces around it are dropped
   * @throws {UsageError} it is not usable; {FolderUnusable}, {DiskFull} it cannot be kept
   */
  async rename(name: string): Promise<void> {
    this.#name.choose(name);
    await this.#parts.connections.atEach((link) => link.join());
  }

  /**
   * The groups that the registries list, by name. Half a second after the first registry has
   * answered the others are not waited for.
   *
   * @param options.prefix only names that begin so
   * @throws {Unreachable} no registry answers within 3 s; {IdentityChanged} it has another key;
   * {BadReply} its list goes back, or is longer than 100,000 groups or a minute
   */
  list(options: { readonly prefix?: string } = {}): Promise<Listing[]> {
    return this.#registries.list(options.prefix);
  }

  /**
   * Becomes a member of a group; harmless where it is one. Whoever is met first under a name is the
   * group of that name from then on.
   *
   * @param target a group's name, its `IP:PORT`, or an invite (`zgroup://…`)
   * @throws {Refusal} `not_found`, `banned`, `forbidden` it is private, `bad_invite`;
   * {Unreachable}; {IdentityChanged}; {UsageError} the invite is not a whole one, or the group is of
   * the original programs
   */
  async join(target: string, options: JoinOptions = {}): Promise<JoinedGroup> {
    return this.#parts.connections.info(await joinGroup(target, this.#parts, options));
  }

  /** The link of a new invite, by which others can join: {@linkcode Invites.make} says more. */
  async invite(target: string, terms: InviteTerms = {}): Promise<string> {
    return (await this.invites.make(target, terms)).link;
  }

  /**
   * Promotes, demotes, removes, bans, unbans, mutes, unmutes a member, or sets the topic; answers
   * the seq from which on it counts. Where it is so already, there is no entry of it. Without `role`
   * promote and demote go one step from the role that the member has when this is called.
   *
   * @throws {Refusal} `forbidden` the role does not allow it; `not_found` no member, or several, whom
   * that may be; {Unreachable}: it may have been done all the same
   */
  async act(target: string, action: Action): Promise<number> {
    const link = this.#link(target);
    return (await link.ask("act", await toAct(link, action))).seq;
  }

  /**
   * Accepts whoever answers as a known group now, or as the registry of a `HOST:PORT`. Where that is
   * the one that is known, nothing changes; otherwise the former is forgotten, with what was not
   * sent to it, and the new one can be joined.
   *
   * @param target a known group, joined or not, or a registry
   * @throws {Refusal} `not_found` neither is known, `forbidden` the registry's key was given;
   * {Unreachable} nobody answers within 3 s; {IdentityChanged} what answers is none
   */
  async trust(target: string): Promise<Trusted> {
    return await trust(toWanted(target), this.#parts);
  }

  /** The registries, and the keys that they must have. */
  registryKeys(): RegistryInfo[] {
    return this.#registries.all.map(({ address, key, given }) => ({ address, key, given }));
  }

  /** What the group is about; empty when nobody said. @throws {Refusal} `not_member`; {Unreachable} */
  async topic(target: string): Promise<string> {
    return await readTopic(this.#link(target));
  }

  /**
   * What {@linkcode joined} says, after asking each group how far its log goes, for 2.5 s at most;
   * those that are known to be away are not waited for.
   */
  async check(): Promise<readonly JoinedGroup[]> {
    await this.#parts.connections.atEach((link) => link.ping(CHECK_WITHIN));
    return this.joined();
  }

  /**
   * Ends a membership, and whatever follows the group here, whether the group answers or not. One
   * that does not within 2 s is told when it does, by whichever program of this user runs then, unless
   * it was joined again. What was not sent to it yet stays in the outbox, and goes out when it is
   * joined again; what was seen of it is forgotten.
   *
   * @throws {Refusal} `not_member`
   */
  async leave(target: string): Promise<Left> {
    const group = this.#parts.groups.member(target);
    const told = await this.#parts.connections.leave(group);
    return { told, unsent: this.#parts.connections.waiting(group.id) };
  }

  /** What {@linkcode joined} says of one group. @throws {Refusal} `not_member`, `banned` */
  membership(target: string): JoinedGroup {
    return this.#parts.connections.info(this.#parts.groups.member(target));
  }

  /** The groups joined, by name, as far as known without asking. */
  joined(): readonly JoinedGroup[] {
    return this.#parts.groups.joined.map((group) => this.#parts.connections.info(group));
  }

  /**
   * Sends a text; resolves when it is on the group's disk. It is in the outbox first: if this
   * rejects with {@linkcode Unreachable} it is still there and goes out when the group answers.
   * Texts to one group arrive in the order of the calls, each once; many at once go out together.
   *
   * With a `mid` of one's own it can be sent again by whoever does not know what became of it, also
   * while it waits in the outbox and by another program: it is in the log once, and the receipt says
   * `duplicate` where it was there before.
   *
   * @param text 1 to 65,536 bytes of UTF-8
   * @throws {Refusal} `not_member`, `banned`, `muted`, `forbidden`, `too_large`, `bad_request` the text
   * is empty or no valid Unicode, or the `mid` has another text, `busy` 100,000 wait: then it was not
   * sent; {Unreachable}; {UsageError} the `mid` is no UUID, or of tomorrow; {Closed} also when it was
   * taken back
   */
  send(target: string, text: string, options: SendOptions = {}): Promise<Receipt> {
    return this.#outbox.send(target, text, options);
  }

  /**
   * What waits in the outbox, for one group or all, joined or not, in the order of the calls.
   *
   * @throws {Refusal} `not_found` there is no such group here
   */
  unsent(target?: string): Unsent[] {
    return this.#outbox.unsent(target);
  }

  /**
   * Takes a message of the outbox back; whoever waits for its receipt gets {@linkcode Closed}. The
   * answer's `tried` says whether the group may have it all the same.
   *
   * @throws {Refusal} `not_found` it does not wait (any more), or there is no such group here
   */
  unsend(target: string, mid: string): Unsent {
    return this.#outbox.unsend(target, mid);
  }

  /**
   * Sends what waits in the outbox, for one group or all, whichever program left it there. Answers what
   * became of it, in the one group or in each that something waited for, when all is out or nothing
   * was accepted for `within`.
   *
   * @throws {Refusal} `not_found` there is no such group here
   */
  flush(target?: string, options: FlushOptions = {}): Promise<Flushed[]> {
    return this.#outbox.flush(target, options);
  }

  /**
   * Entries of a group's log that are there now, ascending, read as they are taken. Errors come when
   * entries are taken, not before. Without options it is the whole log. Where batches do not go on from
   * one another by their hashes, the event `alarm` says so, and signatures from there on are `invalid`.
   *
   * @throws {Refusal} `not_member`; {Unreachable}
   */
  read(target: string, options: ReadOptions = {}): AsyncGenerator<GroupEntry> {
    return readLog(() => this.#link(target), options, this.#read);
  }

  /**
   * Entries of a group as {@linkcode read} gives them, of those that were read or followed before and
   * are kept on this user's own disk; also while the group does not answer. There may be holes.
   *
   * @throws {Refusal} `not_found` the group is not known
   */
  async *kept(target: string, options: ReadOptions = {}): AsyncGenerator<GroupEntry> {
    checkRead(options);
    yield* this.#parts.groups.kept(this.#parts.groups.known(target), options);
  }

  /**
   * The hash of a group's history, computed from what it serves: two members who get the same one
   * for the same seq were shown the same entries. Reads the log from its oldest entry on.
   *
   * @param options.at seq of an entry that is to be covered; default the last one
   * @throws {LogDamaged} it is not what its hashes say, not what was followed here, or holds a message
   * twice; {Refusal} `not_member`; {Unreachable}
   */
  async fingerprint(target: string, options: { readonly at?: number } = {}): Promise<Fingerprint> {
    const group = this.#parts.groups.member(target);
    const { link } = this.#parts.connections.open(group.id);
    return await fingerprint(link, this.#parts.groups.seenOf(group), options);
  }

  /**
   * Asks every registry and every joined group, at each of its servers, whether it answers, for 3 s.
   * Never rejects.
   */
  diagnose(): Promise<ServerFound[]> {
    return diagnose(this.#links(), this.#parts);
  }

  /** Compares which groups have which names at all registries that answer within 5 s. Never rejects. */
  compareNames(): Promise<NamesCompared> {
    return this.#registries.compare(this.#parts.groups.all);
  }

  /**
   * Who is a member, in the order of user ids.
   *
   * @throws {Refusal} `not_member`; {Unreachable}; {BadReply} the list goes back, or is longer than
   * 100,000 members or a minute
   */
  async members(target: string): Promise<MemberInfo[]> {
    return (await readMembers(this.#link(target))).members;
  }

  /** Who is banned, as admins are told; nobody to others. Throws as {@linkcode members} does. */
  banned(target: string): Promise<readonly BannedInfo[]> {
    return readBanned(this.#link(target));
  }

  /**
   * Every entry after a seq or since a time (ms), in order, once, and then live until the signal is
   * aborted, the group is left, or this user is closed: then it ends without an error. It begins
   * where `from` says, by default at the cursor. A group that does not answer is waited for. Another
   * epoch than `epoch` (by default the cursor's) starts over at 1, and the event `epoch` says so.
   *
   * A consumer that is slow gets what it missed from the log: nothing is left out. The cursor stays
   * where it is: {@linkcode seen} moves it. Several may follow at once.
   *
   * Each entry goes on from the one before by the hashes of the log, from the cursor also from what was
   * seen by an earlier program. What does not is told by the event `alarm`, and the signature of what
   * is not verified is `invalid`, also that of a message that came before under another seq.
   *
   * Who comes, goes or has another name is an entry, too: `join`, `leave`, `rename` and those of
   * admins, each narrowed by its `kind`, in the one order and once, as messages are.
   *
   * @throws {Refusal} `not_member`, or `banned`, also when the membership ends, now or while this user
   * was away; {IdentityChanged}; {UsageError} a range that says twice where to begin
   */
  follow(target: string, options: FollowRange = {}): AsyncGenerator<GroupEntry> {
    const { emit } = this.#listeners;
    const follower = { ...this.#parts, id: this.id, emit, read: this.#read };
    return follow(() => followOptions(target, options, follower));
  }

  /** Entries of one batch were read. */
  readonly #read = (group: string, entries: readonly GroupEntry[]): void => {
    this.#parts.groups.keep(group, entries);
    this.#name.read(entries);
  };

  /**
   * Moves the stored cursor of a group forward to an entry that the user has seen; one that lies
   * behind it changes nothing. It is on disk 50 ms later, or when this user is closed.
   *
   * @param epoch the entry's; by default the cursor's
   * @throws {Refusal} `not_member`
   */
  seen(target: string, seq: number, epoch?: string): void {
    this.#parts.groups.seen(this.#parts.groups.member(target), seq, epoch);
  }

  /**
   * Tells the members who follow that this user is writing; never logged. Said at most every 7.5 s,
   * however often this is called, and not at all to a group that does not answer.
   *
   * @throws {Refusal} `not_member`
   */
  typing(target: string): void {
    this.#link(target).typing();
  }

  /**
   * Calls back for everything beside the entries; answers how to stop that. What a listener throws
   * becomes a warning of the process, and the others are called all the same. The first hears
   * as a `warning` what the folder was found to lack.
   */
  on(listener: (event: UserEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Ends everything, within a second: followers end, what was not sent within 500 ms stays in the
   * outbox. Twice is harmless; what is called later fails with {@linkcode Closed}.
   */
  close(): Promise<void> {
    return this.#closing ??= (async () => {
      await this.#parts.connections.close();
      await this.#registries.close();
      this.#parts.groups.close();
    })();
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #link(target: string): Link {
    return this.#parts.connections.open(this.#parts.groups.member(target).id).link;
  }

  /** To every joined group. */
  #links(): Link[] {
    return this.#parts.groups.joined.map(({ id }) => this.#parts.connections.open(id).link);
  }
}
