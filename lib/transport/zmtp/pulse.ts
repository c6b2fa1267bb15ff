/** How a peer's time runs out, second by second. Pure. */

/** Seconds without a byte from a peer before it is asked for a sign of life, and again. */
const PING_AFTER = [8, 12];
/** Seconds of silence before a peer is cut: its machine may be busy. */
const SILENCE = 20;
/** Seconds of reading nothing before a peer is cut. */
const STUCK = 15;
/** Each so many bytes that are on their way to a peer give it one second more: a slow line. */
const SLOW_LINE = 65_536;
/** A stranger that is served all the time may stay this many times as long as one that is not. */
const MOST_STAY = 6;
/** Seconds for which requests under way may keep a peer from being read. */
const REQUEST_TIMEOUT = 60;

/** What is known of a peer when a second is over. */
export interface Vitals {
  /** Bytes that wait to go out, and those written ever. */
  readonly waiting: number;
  readonly written: number;
  /** Why it is not read from, if it is not. */
  readonly paused: string | undefined;
  /** It waits for us: that its time runs out is not its fault. */
  readonly served: boolean;
  /** False before both sides said what they are. */
  readonly open: boolean;
  /** True when its version knows PING. */
  readonly pings: boolean;
}

/**
 * Counts seconds that were ticked, not the clock's: while this program stood still, nobody was
 * silent.
 */
export class Pulse {
  readonly #admitWithin: number;
  #age = 0;
  #ageUnserved = 0;
  #quiet = 0;
  #stuck = 0;
  #unread = 0;
  #drained = 0;
  #writtenWhenHeard = 0;
  admitted = false;

  /** `admitWithin` in ms. */
  constructor(admitWithin: number) {
    this.#admitWithin = admitWithin;
  }

  /** Bytes came, after so many were written. */
  heard(written: number): void {
    this.#quiet = 0;
    this.#writtenWhenHeard = written;
  }

  /** A second is over: `ping` it, cut it for that reason, or nothing. */
  tick(vitals: Vitals): { readonly cut: string } | "ping" | undefined {
    const why = this.#late(vitals) ?? this.#stands(vitals) ?? this.#silent(vitals);
    if (why !== undefined) return { cut: why };
    return vitals.pings && vitals.open && PING_AFTER.includes(this.#quiet) ? "ping" : undefined;
  }

  #late({ open, served }: Vitals): string | undefined {
    if (this.admitted) return undefined;
    this.#age++;
    if (!served) this.#ageUnserved++;
    const seconds = Math.max(this.#ageUnserved, this.#age / MOST_STAY);
    if (seconds * 1_000 <= this.#admitWithin) return undefined;
    return open ? "not admitted in time" : "no handshake in time";
  }

  #stands({ waiting, written, paused }: Vitals): string | undefined {
    const drained = written - waiting;
    this.#stuck = waiting > 0 && drained <= this.#drained ? this.#stuck + 1 : 0;
    this.#drained = drained;
    if (this.#stuck > STUCK + waiting / SLOW_LINE) return "does not read";
    this.#unread = paused === "too many requests" ? this.#unread + 1 : 0;
    return this.#unread > REQUEST_TIMEOUT ? "requests do not end" : undefined;
  }

  #silent({ written, paused, pings }: Vitals): string | undefined {
    this.#quiet = paused === undefined ? this.#quiet + 1 : 0;
    const most = SILENCE + (written - this.#writtenWhenHeard) / SLOW_LINE;
    return pings && this.#quiet > most ? "silent" : undefined;
  }
}
