/** A user's connections, one to each group that it works with, and what is sent over them. */

import { Closed, type Code, Refusal } from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import { PRESENT_FOR } from "../protocol/limits.ts";
import {
  type GroupTarget,
  LEAVING,
  type StoredGroup,
  type UserStore,
} from "../store/user_store.ts";
import { pause } from "../transport/waiting.ts";
import type { LiveFeed } from "./feed.ts";
import { isOutOfReach, isWorse, ITS_OWN, targetOf } from "./finding.ts";
import type { KnownGroups } from "./groups.ts";
import { recognize } from "./identity.ts";
import { Link } from "./link.ts";
import type { Registries } from "./registries.ts";
import type { RegistryMeans } from "./registry_link.ts";
import { Sender } from "./sender.ts";
import { atAny } from "./servers.ts";
import type { JoinedGroup, OutboxEvent, UserEvent } from "./types.ts";

/** What a user works with, to join a group or to look at a server. */
export interface Parts extends RegistryMeans {
  readonly registries: Registries;
  readonly groups: KnownGroups;
  readonly connections: Connections;
}

interface ConnectionsOptions extends Pick<Parts, "transport" | "registries" | "groups"> {
  readonly store: UserStore;
  readonly key: SigningKey;
  readonly mid: () => string;
  readonly name: () => string;
  /** Begins where it was last, and not at any server of a group. */
  readonly stays?: boolean;
  emit(event: UserEvent): void;
}

/** A group that is worked with. */
interface Connected {
  readonly link: Link;
  readonly sender: Sender;
  /** Ends the signs of life. */
  readonly stop: () => void;
}

/** How long closing waits for messages that the group is about to take, ms. */
const FLUSH_WITHIN = 500;
/** How long a group has to say how far its log goes, ms. */
export const CHECK_WITHIN = 2_500;
/** How long a group has to hear that we leave, ms, until that is done behind one's back. */
const LEAVE_WITHIN = 2_000;
/** What a group answers to one who is no member any more. */
const PUT_OUT: ReadonlySet<string> = new Set<Code>(["not_member", "banned"]);
/** A sign of life that takes longer than this is none, ms. */
const PING_TIMEOUT = 3_000;
/**
 * Every so many times it is asked for whatever comes: a server whose engine does not see that we are
 * connected takes us for gone when it has heard nothing for 60 s.
 */
const PING_ANYWAY = 8;

/** Made when they are needed, ended together. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, Connected>();
  /** By group id: groups that are being told that we left. */
  readonly #leaving = new Map<string, { readonly link: Link; readonly told: Promise<void> }>();
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    // What an earlier program could not send goes out now, whatever this one is for.
    const { groups, store } = options;
    for (const { id } of groups.joined) if (store.pending(id).length > 0) this.open(id);
    for (const group of groups.leaving) this.#tell(group);
  }

  /** The connection to a known group, if there is one. */
  get(id: string): Connected | undefined {
    return this.#open.get(id);
  }

  /** What is known of a group without asking. */
  info(group: StoredGroup): JoinedGroup {
    const { id, name, address, servers, role, key } = group;
    const { cursor, epoch } = this.#options.groups.cursor(group);
    const { link, sender } = this.get(id) ?? {};
    const state = link?.state ?? "connecting";
    // A cursor of another epoch has seen nothing of this one.
    const unread = Math.max(0, (link?.head ?? 0) - (link?.epoch === epoch ? cursor : 0));
    const waiting = sender?.waiting ?? 0;
    const others = servers ? { servers } : {};
    return { id, name, address, ...others, role, state, unread, waiting, cursor, key };
  }

  /** Messages in the outbox for a group. */
  waiting(id: string): number {
    return this.#options.store.pending(id).length;
  }

  /** Asks all joined groups at once, whatever they answer; who is known to be away is not waited for. */
  async atEach(ask: (link: Link) => Promise<unknown>): Promise<void> {
    await Promise.all(
      this.#options.groups.joined.map(({ id }) => {
        const { link } = this.open(id);
        const answered = ask(link).catch(() => {}); // The link's state tells.
        return link.state === "unreachable" ? undefined : answered;
      }),
    );
  }

  /** The connection to a known group. @throws {Closed} */
  open(id: string): Connected {
    const { groups, stays } = this.#options;
    const open = this.#open.get(id);
    if (open) return open;
    const known = groups.get(id)!;
    return this.adopt(this.link(stays ? known : atAny(known)));
  }

  /** From now on this is the connection to its group, which is known. */
  adopt(link: Link): Connected {
    const { store, key, mid, emit, transport } = this.#options;
    const event = (event: OutboxEvent) =>
      emit({ type: "outbox", group: link.target.name, ...event });
    const full = () => {
      const text = `${link.target.name}: its disk is full; what you send waits until it has room`;
      emit({ type: "warning", text });
    };
    const sender = new Sender({ link, key, store, mid, event, full });
    const made = { link, sender, stop: keepAlive(link, transport.watchful) };
    this.#open.set(link.target.id, made);
    return made;
  }

  /**
   * Ends a membership: here at once, and in the group when it answers, by whichever program of this
   * folder runs then. True when it was told within 2 s.
   */
  async leave(group: StoredGroup): Promise<boolean> {
    const { groups } = this.#options;
    const { link } = this.open(group.id);
    groups.leave(link.target, false);
    link.feed.close(); // Whoever follows it is shown no more.
    const told = await link.ask("leave", {}, { within: LEAVE_WITHIN }).then(() => true, isOut);
    await this.drop(group.id);
    groups.beginAnew(group);
    if (groups.get(group.id)?.role !== LEAVING) return true; // Joined again, or out already.
    if (told) groups.leave(link.target);
    else this.#tell(group);
    return told;
  }

  /** Tells a group that we left, however long it takes; joining it again ends that. */
  #tell(group: StoredGroup): void {
    if (this.#closed) return;
    const link = this.link(group, () => {});
    const told = link.ask("leave", {}, { within: Infinity })
      .then(() => true, isOut)
      .then((told) => {
        if (told) this.#options.groups.leave(link.target);
      })
      // It cannot be kept that it knows: the next program tells it again.
      .catch(() => {})
      .finally(() => link.close());
    this.#leaving.set(group.id, { link, told });
  }

  async #untell(id: string): Promise<void> {
    const { link, told } = this.#leaving.get(id) ?? {};
    this.#leaving.delete(id);
    await link?.close();
    await told;
  }

  /**
   * A link that is nobody else's, to a group that need not be known; what happens is told to `emit`.
   *
   * @throws {Closed}
   */
  link(target: GroupTarget, emit = this.#options.emit): Link {
    if (this.#closed) throw new Closed("Cannot ask a group: closed");
    const { transport, key, name, groups, registries } = this.#options;
    const { joined, epoch, ticket } = groups.get(target.id) ?? {};
    const warned = new Set<string>();
    const link: Link = new Link({
      transport,
      key,
      name,
      target,
      epoch: joined ? epoch : undefined,
      ticket,
      recognize: (target, identity) => recognize(target, identity, groups.all),
      absent: (address) => isOutOfReach(address, registries) ? ITS_OWN : undefined,
      find: async () => {
        const { id } = link.target;
        const listing = id ? await registries.resolve(id, id) : undefined;
        const found = listing && targetOf(listing);
        return found && isWorse(found, link.target, registries) ? undefined : found;
      },
      moved: (moved) => {
        if (groups.get(moved.id)) groups.learn(moved);
      },
      admitted: (ticket) => groups.admitted(link.target.id, ticket),
      changed: (state) => emit({ type: "state", group: link.target.name, state }),
      alarm: (alarm) => emit({ type: "alarm", group: link.target.name, ...alarm }),
      warn(text) {
        if (!warned.has(text)) emit({ type: "warning", text });
        warned.add(text);
      },
    });
    return link;
  }

  /** Gives the connection to a group up; what was not sent stays in the outbox. */
  async drop(id: string): Promise<void> {
    await this.#untell(id);
    const open = this.#open.get(id);
    if (!open) return;
    this.#open.delete(id);
    open.stop();
    await Promise.all([open.sender.close(), open.link.close()]);
  }

  /** Gives all up, after messages that a group is about to take have gone out. */
  async close(): Promise<void> {
    this.#closed = true;
    const busy = [
      ...[...this.#open.values()].filter(({ sender }) => sender.waiting > 0)
        .map(({ link, sender }) => ({ link, done: sender.idle() })),
      ...[...this.#leaving.values()].map(({ link, told }) => ({ link, done: told })),
    ].filter(({ link }) => link.state !== "unreachable");
    const sent = new AbortController();
    void Promise.all(busy.map(({ done }) => done)).then(() => sent.abort());
    await pause(FLUSH_WITHIN, sent.signal);
    await Promise.all([...this.#open.keys(), ...this.#leaving.keys()].map((id) => this.drop(id)));
  }
}

/** Whether a request failed because we are no member any more. */
export function isOut(error: unknown): error is Refusal {
  return error instanceof Refusal && PUT_OUT.has(error.code);
}

/**
 * Asks for a sign of life every five seconds: the members see that we are here, and we that the
 * group is. One that does not answer is asked by the link's own waits, so that its return is seen.
 * Answers how to end that.
 *
 * @param watchful the transport sees by itself that the other side is there: then a live feed is
 * sign enough, most of the time
 */
export function keepAlive(
  link: Pick<Link, "ping" | "state"> & { readonly feed: Pick<LiveFeed, "isFresh"> },
  watchful: boolean,
  every: number = PRESENT_FOR / 3,
): () => void {
  let asking = false;
  let times = 0;
  const timer = setInterval(async () => {
    times++;
    if (asking || (watchful && link.feed.isFresh && times % PING_ANYWAY !== 0)) return;
    asking = true;
    // Where none comes, the link's state tells.
    await link.ping(link.state === "live" ? PING_TIMEOUT : Infinity).catch(() => {});
    asking = false;
  }, every);
  return () => clearInterval(timer);
}
