/**
 * Which of a group's servers decides: keeps the lease of a shared log, or watches who does.
 *
 * No clock is compared. The holder renews each second, and falls silent when its last renewal began
 * four seconds ago; a relay that sees the lease stand still for five may claim it. Both count by
 * their own monotonic clock, and whoever is wrong appends nothing: appends are fenced by the term.
 * That clock stands still while a machine sleeps, and its date does not: who woke renews first.
 */

import { Fenced, LogAway, Refusal, sentence } from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import type { Lease, LogStart, Share } from "../log/log.ts";
import type { Transport } from "../transport/transport.ts";
import { pause } from "../transport/waiting.ts";
import type { Group } from "./group.ts";
import { Relay } from "./relay.ts";
import type { Servers } from "./servers.ts";

export interface StandingOptions {
  readonly share: Share;
  readonly group: Group;
  readonly servers: Servers;
  readonly transport: Transport;
  /** The group's own. */
  readonly key: SigningKey;
  /** Never claim the lease. */
  readonly relayOnly: boolean;
  info(text: string): void;
  warn(text: string): void;
  /** The log cannot be trusted; the server must stop. */
  broken(error: unknown): void;
}

/** How often the lease is renewed, or looked at, ms; and while nobody is known to decide. */
const [EVERY, SOON] = [1_000, 250];
/** How long after the beginning of a renewal the holder may believe in it, ms. */
const HOLDS = 4_000;
/** A date that is so much further ahead of the monotonic clock than it was tells of a sleep, ms. */
const SLEPT = 1_000;
/** How long a lease must stand still before it may be claimed, ms. */
const STILL = 5_000;
/** A server that lacks so many entries waits so much longer, ms. */
const [BEHIND, LATER] = [10_000, 2_000];
/** A holder that renews and was not heard for so long is not reached from here, ms. */
const CUT_OFF = 4_000;
/** A holder that was heard within this time needs no closer look, ms: it says something each second. */
const HEARD = 2_000;
/** A lease that moved within this time has a holder that is alive, ms. */
const MOVES = 2_500;

/** A moment by both clocks, ms. */
interface Moment {
  /** By `performance.now()`. */
  readonly steady: number;
  /** How far the date is ahead of that. */
  readonly ahead: number;
}

/** A lease as it was seen first, and since when it has not moved, ms by `performance.now()`. */
interface Seen {
  readonly lease: Lease;
  readonly since: number;
}

/** One server's part in its group. */
export class Standing {
  readonly #options: StandingOptions;
  readonly #stop = new AbortController();
  #poke = new AbortController();
  #seen: Seen | undefined;
  #holding = false;
  /** When the newest renewal that is known to have been made began. */
  #renewed: Moment = { steady: -Infinity, ahead: 0 };
  #relay: Relay | undefined;
  /** The term of a claim whose answer has not come. */
  #unheard: number | undefined;
  /** Why the log is not reached; empty when it is. */
  #away = "";
  #said = "";
  #first = true;
  #renewing = false;
  #taking: Promise<void> | undefined;
  #working: Promise<void> | undefined;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  /** Takes its part, and goes on doing so. @throws {LogUnsafe} at the first look; {LogDamaged} */
  async start(): Promise<void> {
    await this.#look();
    this.#working = this.#run();
    await this.#taking;
  }

  /** Whether this server decides now. */
  get holds(): boolean {
    const { steady, ahead } = now();
    return this.#holding && steady < this.#renewed.steady + HOLDS &&
      ahead < this.#renewed.ahead + SLEPT;
  }

  /** An append was refused: another server decides, or soon will. */
  fenced(): void {
    this.#holding = false;
    this.#poke.abort();
  }

  /** Claims, renews and follows no more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#poke.abort();
    await this.#working;
    await this.#taking;
  }

  /** Gives the lease up, where it is held; nothing may be under way any more. */
  async release(): Promise<void> {
    if (this.#holding) await this.#options.share.release();
    this.#holding = false;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await pause(this.#isSettled ? EVERY : SOON, this.#poke.signal);
      if (this.#stop.signal.aborted) return;
      if (this.#poke.signal.aborted) this.#poke = new AbortController();
      try {
        await this.#look();
        this.#reached();
      } catch (error) {
        if (!(error instanceof LogAway)) return this.#options.broken(error);
        this.#unreached(sentence(error));
      }
    }
  }

  /** It is known who decides, and nothing speaks against it. */
  get #isSettled(): boolean {
    const relay = this.#relay;
    return this.#holding || (relay !== undefined && relay.isConnected && relay.silence < HEARD);
  }

  #unreached(why: string): void {
    if (this.#away === why) return;
    this.#away = why;
    this.#options.warn(why);
  }

  #reached(): void {
    if (this.#away === "") return;
    this.#away = "";
    this.#options.info("The log is reached again");
  }

  async #look(): Promise<void> {
    if (this.#holding) {
      await this.#renew();
      if (this.#holding) return;
    }
    const began = performance.now();
    const lease = await this.#options.share.lease();
    const seen = this.#seen;
    if (seen?.lease.term !== lease.term || seen.lease.turn !== lease.turn) {
      this.#seen = { lease, since: performance.now() };
    }
    const mayClaim = this.#mayClaim(lease, began);
    this.#first = false;
    if (mayClaim && await this.#claim(lease)) return;
    await this.#follow(lease);
  }

  #mayClaim({ term, holder, head }: Lease, began: number): boolean {
    if (this.#options.relayOnly || this.#stop.signal.aborted) return false;
    if (holder === undefined) return true;
    const still = began - this.#seen!.since;
    // Who is far behind lets others go first.
    if (still >= STILL + (head - this.#options.group.head > BEHIND ? LATER : 0)) return true;
    if (holder !== this.#options.servers.own) return false;
    // This program has the address: its former self held the lease, or it claimed it unheard.
    return this.#first || term === this.#unheard;
  }

  async #renew(): Promise<void> {
    const began = now();
    try {
      await this.#options.share.renew();
      this.#renewed = began;
    } catch (error) {
      if (!(error instanceof Fenced)) throw error;
      this.#holding = false;
    }
  }

  async #claim(lease: Lease): Promise<boolean> {
    const { share, servers } = this.#options;
    const began = now();
    this.#unheard = lease.term + 1;
    const start = await share.claim(lease, servers.own);
    this.#unheard = undefined;
    if (!start) return false;
    this.#renewed = began;
    this.#holding = true;
    // The lease is renewed meanwhile.
    this.#taking = this.#takeOver(start, lease.term + 1).catch(this.#options.broken);
    return true;
  }

  async #takeOver(start: LogStart, term: number): Promise<void> {
    const { share, group, servers, info } = this.#options;
    await this.#leave();
    try {
      await group.takeOver(start, () => this.holds);
      servers.learn([]);
      this.#say("holds", () => info(`Holds the group from entry ${start.head} on, term ${term}`));
    } catch (error) {
      this.#holding = false;
      await share.release();
      if (!isPassing(error)) throw error;
    }
  }

  /** Becomes the relay of whoever holds the lease. */
  async #follow({ holder }: Lease): Promise<void> {
    const { group, servers, transport, key, info, broken } = this.#options;
    if (holder === this.#relay?.holder && holder !== undefined) return;
    if (holder === undefined || holder === servers.own) {
      // Nobody, or this server by a claim whose answer was lost: until it stands still.
      await this.#leave();
      return this.#say("waits", () => info("Waits for the lease of the group"));
    }
    await this.#leave();
    this.#relay = new Relay({
      transport,
      key,
      group,
      servers,
      holder,
      isCutOff: () => this.#isCutOff(),
      differs: () => void this.#beginAnew().catch(broken),
      broken,
    });
    group.become(this.#relay);
    this.#say(`follows ${holder}`, () => info(`Follows ${holder}, which holds the group`));
  }

  async #leave(): Promise<void> {
    this.#relay = undefined;
    await this.#options.group.resign();
  }

  /** The holder renews, and is not heard here; never while this server changes over. */
  #isCutOff(): boolean {
    const relay = this.#relay;
    if (!relay || !this.#seen) return false;
    return relay.silence > CUT_OFF && performance.now() - this.#seen.since < MOVES;
  }

  /** What was followed here was never acknowledged, or is not any more. */
  async #beginAnew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    try {
      await this.#leave();
      this.#options.group.jump(await this.#options.share.follow());
    } catch (error) {
      if (!isPassing(error)) throw error;
    } finally {
      this.#renewing = false;
    }
  }

  #say(state: string, tell: () => void): void {
    if (state === this.#said) return;
    this.#said = state;
    tell();
  }
}

function now(): Moment {
  const steady = performance.now();
  return { steady, ahead: Date.now() - steady };
}

/** Whether it is no fault of the log: another server decides, or the log is away. */
function isPassing(error: unknown): boolean {
  return error instanceof Fenced || error instanceof LogAway ||
    (error instanceof Refusal && error.code === "busy");
}
