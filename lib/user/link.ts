/** One user's connection to one group: proves the identity, asks, asks again, finds it elsewhere. */

import {
  Closed,
  type Code,
  IdentityChanged,
  isRetriable,
  Refusal,
  Unreachable,
} from "../errors.ts";
import { groupId, type SigningKey, userId } from "../identity/keys.ts";
import { enterText, proofText } from "../protocol/record.ts";
import { Requester } from "../transport/requester.ts";
import type { ClientSecurity, CurveKeys, Transport } from "../transport/transport.ts";
import { backoff, pause } from "./backoff.ts";
import type { GroupTarget } from "./store.ts";

/** Whether the group answers. */
export type LinkState = "connecting" | "live" | "unreachable";

export interface LinkOptions {
  readonly transport: Transport;
  readonly key: SigningKey;
  readonly name: () => string;
  readonly target: GroupTarget;
  readonly curve?: CurveKeys;
  /** True for a member, whose CURVE key the group admits already. */
  readonly admitted: boolean;
  /** Token of an invite, redeemed at the door. */
  readonly invite?: string;
  /** For a member: the epoch in which it joined, as far as known. */
  readonly epoch?: string;
  /** Where the group is now, asked when it does not answer; undefined when nobody knows. */
  find(): Promise<GroupTarget | undefined>;
  /** The target changed: it moved, or its id became known. */
  moved(target: GroupTarget): void;
  changed(state: LinkState): void;
}

export interface AskOptions {
  /** Give up after this many ms; default 4,500. Infinity: only when closed. */
  readonly within?: number;
  /** Give up one try after this many ms; default 2,000. The next tries take up to eight times it. */
  readonly each?: number;
  /** Rejects with {@linkcode Closed} at once. */
  readonly signal?: AbortSignal;
}

/** What `prove` answered. */
interface Session {
  readonly token: string;
  readonly epoch: string;
  readonly head: number;
  readonly role: string | null;
  /** The group's clock less ours when it answered, ms. */
  readonly ahead: number;
}

/** What hangs on a link. */
export interface Attached {
  /** The group has another session for us: it may be another process. */
  renewed(): void;
  /** The link is closed. */
  close(): Promise<void>;
}

/** `bad_proof`: a proof that overtook another, after a connection came back with both under way. */
const PROVE_AGAIN: ReadonlySet<string> = new Set<Code>(["no_session", "bad_proof"]);

/** See the head of this file. */
export class Link {
  target: GroupTarget;
  state: LinkState = "connecting";
  readonly #options: LinkOptions;
  readonly #closed = new AbortController();
  /** Absent before the door let us in: a connection refused at the handshake comes back late. */
  #requester: Requester | undefined;
  #session: Promise<Session> | undefined;
  #relocating: Promise<void> | undefined;
  #door: Requester | undefined;
  /** The closing of the connection to where the group was before. */
  #former: Promise<void> | undefined;
  readonly #attached = new Set<Attached>();
  #admitted: boolean;
  /** Where we are a member; in another epoch the group has forgotten us. */
  #joinedIn: string;
  #epoch = "";
  #head = 0;
  /** Aborted when the group is heard, for those who rest. */
  #rest = new AbortController();
  #resting = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.target = options.target;
    this.#admitted = options.admitted;
    this.#joinedIn = options.epoch ?? "";
  }

  /** Our user id. */
  get user(): string {
    return userId(this.#options.key.publicKey);
  }

  /** How to reach any socket of this group. */
  get security(): ClientSecurity | undefined {
    const { curve } = this.target;
    const keys = this.#options.curve;
    return curve ? { serverKey: curve, ...(keys ? { keys } : {}) } : undefined;
  }

  /** Aborted when the link is closed. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  #connect(): Requester {
    const { transport } = this.#options;
    const { name, address } = this.target;
    const { security } = this;
    const what = `the group "${name}"`;
    const heard = () => this.heard();
    return new Requester({ transport, address, what, heard, ...(security ? { security } : {}) });
  }

  /** The session that is open, or a new one. */
  session(each?: number): Promise<Session> {
    if (!this.#session) {
      const session = this.#prove(each);
      this.#session = session;
      session.catch(() => {
        if (this.#session === session) this.#session = undefined;
      });
    }
    return this.#session;
  }

  /** Asks the door to admit our CURVE key. A door that does not answer is passed by. */
  async #enter(): Promise<void> {
    const { transport, key, name, curve, invite } = this.#options;
    const { id, door, address, curve: serverKey } = this.target;
    if (!curve || !door) return;
    const what = `the door of the group "${this.target.name}"`;
    const security = { serverKey, keys: curve };
    const requester = new Requester({ transport, address: door, what, security });
    this.#door = requester;
    try {
      const sig = key.sign(enterText(id, curve.publicKey, invite));
      const knock = { key: key.publicKey, name: name(), curve: curve.publicKey, invite, sig };
      await requester.request("enter", knock, 1_500);
      this.#admitted = true;
    } catch (error) {
      // A flooded door does not keep a member out, whose key the group admits without it.
      if (!isRetriable(error) || invite) throw error;
      if (this.#closed.signal.aborted) throw this.#closedError();
      if (!this.#options.admitted) {
        throw error instanceof Unreachable
          ? new Unreachable(address, error.message, { cause: error })
          : error;
      }
    } finally {
      await requester.close();
    }
  }

  async #prove(each?: number): Promise<Session> {
    if (this.target.curve && !this.#admitted) await this.#enter();
    if (this.#closed.signal.aborted) throw this.#closedError();
    const requester = this.#requester ??= this.#connect();
    const { key, name, curve } = this.#options;
    const hello = await requester.request(
      "hello",
      { key: key.publicKey, name: name() },
      each,
    ) as { nonce: string; group: { id: string; name: string; key: string; nonce: string } };
    this.#recognize(hello.group);
    const sig = key.sign(proofText(hello.nonce, hello.group.id));
    const sent = Date.now();
    const proved = await requester.request("prove", { sig }, each);
    const { session, epoch, head, role, at } = proved as Record<string, never>;
    const ahead = at - (sent + Date.now()) / 2;
    this.know(epoch, head);
    if (role === null && this.#joinedIn !== "" && this.#joinedIn !== epoch) {
      // A group that began a new history has lost its members.
      const own = curve && this.target.curve ? { curve: curve.publicKey } : {};
      await requester.request("join", { session, ...own }, each);
      this.#joinedIn = epoch;
    }
    if (role !== null) this.#joinedIn = epoch;
    for (const { renewed } of this.#attached) renewed();
    return { token: session, epoch, head, role, ahead };
  }

  /** @throws {IdentityChanged} another group answers where this one was */
  #recognize(group: { id: string; name: string; key: string; nonce: string }): void {
    const { id } = this.target;
    const honest = group.id === groupId(group.key, group.name, group.nonce);
    if (!honest || (id && id !== group.id)) {
      throw new IdentityChanged(
        this.target.name,
        `Cannot trust "${this.target.name}" at ${this.target.address}: another group answers there`,
      );
    }
    if (id) return;
    this.target = { ...this.target, id: group.id, name: group.name, key: group.key };
    this.#options.moved(this.target);
  }

  /** From the next request on the group knows us by what `name` gives then. */
  renew(): void {
    this.#session = undefined;
  }

  /**
   * The reply to a request, asked again until it succeeds, is refused for good, or time is up.
   *
   * @throws {Refusal}; {Unreachable}; {IdentityChanged}; {Closed}
   */
  ask(op: string, fields: object, options: AskOptions = {}): Promise<Record<string, unknown>> {
    const asked = this.#ask(op, fields, options);
    const { signal } = options;
    return signal ? unlessAborted(asked, signal, () => this.#closedError()) : asked;
  }

  async #ask(
    op: string,
    fields: object,
    { within = 4_500, each = 2_000, signal }: AskOptions,
  ): Promise<Record<string, unknown>> {
    const end = performance.now() + within;
    for (let attempt = 0, sessions = 0;;) {
      const left = (ms: number) => Math.max(1, Math.min(ms, end - performance.now()));
      const opening = this.session(left(each));
      try {
        const session = await opening;
        if (!this.#requester) continue; // The group was found elsewhere meanwhile.
        const request = { session: session.token, ...fields };
        // What is large may take longer than a sign of life.
        const patience = left(each * 2 ** Math.min(attempt, 3));
        const reply = await this.#requester.request(op, request, patience);
        if (op === "join") this.#joinedIn = session.epoch;
        this.#change("live");
        return reply;
      } catch (error) {
        if (this.#closed.signal.aborted || signal?.aborted) throw this.#closedError();
        if (error instanceof Closed) {
          // The connection was given up for another one.
          await this.#relocating;
          continue;
        }
        if (error instanceof Refusal && PROVE_AGAIN.has(error.code) && sessions++ < 5) {
          if (this.#session === opening) this.#session = undefined;
          continue;
        }
        if (error instanceof IdentityChanged && await this.#isElsewhere()) continue;
        if (!isRetriable(error)) throw error;
        if (error instanceof Refusal) this.#change("live");
        const wait = this.#waitAfter(error, attempt++);
        if (performance.now() + wait >= end) {
          if (error instanceof Unreachable) void this.#lost();
          throw error;
        }
        if (error instanceof Unreachable) {
          // Where it is now is asked while we wait: the registry may be gone, too.
          void this.#lost();
          await this.rest(wait);
        } else await pause(wait, this.#closed.signal);
        if (this.#closed.signal.aborted || signal?.aborted) throw this.#closedError();
      }
    }
  }

  /** True when the group was found at another address than the one where a stranger answers. */
  async #isElsewhere(): Promise<boolean> {
    const before = this.target;
    await this.#lost();
    return this.target !== before;
  }

  #waitAfter(error: unknown, attempt: number): number {
    const asked = error instanceof Refusal ? error.retryAfter ?? 0 : 0;
    return Math.max(asked, backoff(attempt));
  }

  #closedError(): Closed {
    return new Closed(`Cannot ask the group "${this.target.name}": closed`);
  }

  /** Highest seq known to exist; 0 before the first answer. */
  get head(): number {
    return this.#head;
  }

  /** Learns that the log of an epoch goes as far as `head`. */
  know(epoch: string, head: number): void {
    if (epoch === this.#epoch && head <= this.#head) return;
    this.#epoch = epoch;
    this.#head = head;
  }

  /** Called by whoever hears from the group: who waits to ask again need not wait any longer. */
  heard(): void {
    this.#change("live");
    this.#endRest();
  }

  #endRest(): void {
    if (this.#resting === 0) return;
    this.#rest.abort();
    this.#rest = new AbortController();
  }

  /** Waits before asking again, until the group is heard or the signal is aborted. */
  async rest(ms: number, signal?: AbortSignal): Promise<void> {
    this.#resting++;
    await pause(ms, signal ? AbortSignal.any([signal, this.#rest.signal]) : this.#rest.signal);
    this.#resting--;
  }

  /** The group does not answer: perhaps it lives elsewhere now. */
  #lost(): Promise<void> {
    this.#change("unreachable");
    this.#admitted = false;
    this.#session = undefined;
    return this.#relocating ??= this.#relocate()
      .catch(() => {}) // what cannot be kept of the new address is found again
      .finally(() => (this.#relocating = undefined));
  }

  async #relocate(): Promise<void> {
    const found = await this.#options.find().catch(() => undefined);
    if (!found || this.#closed.signal.aborted) return;
    const { id, address, curve } = this.target;
    if (id && found.id !== id) return;
    if (found.address === address && found.curve === curve) return;
    this.target = found;
    this.#options.moved(found);
    const old = this.#requester;
    this.#requester = undefined;
    this.#session = undefined;
    this.#endRest();
    await (this.#former = old?.close());
  }

  #change(state: LinkState): void {
    if (this.state === state || this.#closed.signal.aborted) return;
    this.state = state;
    this.#options.changed(state);
  }

  /** Something that lives as long as the link at most; answers how to take it back. */
  attach(attached: Attached): () => void {
    this.#attached.add(attached);
    return () => this.#attached.delete(attached);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#rest.abort();
    const attached = [...this.#attached].map(({ close }) => close());
    await Promise.all([...attached, this.#former, this.#door?.close(), this.#requester?.close()]);
  }
}

/** What the work gives, or at once an error when the signal is aborted first. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, why: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(why());
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
