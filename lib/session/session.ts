/** One connection that finished the handshake, as its server sees it. */

import { verifies } from "../identity/keys.ts";
import { MAGIC } from "../protocol/limits.ts";
import { proofText } from "../protocol/record.ts";
import type { Encoded, Peer } from "../transport/transport.ts";
import type { Priority } from "./handshakes.ts";
import type { CipherState } from "./noise.ts";
import { HEAD } from "./packet.ts";

/** Who proved a key in a session. */
export interface Actor {
  readonly user: string;
  readonly name: string;
  readonly key: string;
}

/** What sessions need of their server. */
export interface SessionHost {
  readonly watchful: boolean;
  cut(peer: Peer, why: string): void;
  /** Time was spent on the proof of who came so, ms. */
  spent(priority: Priority, ms: number): void;
}

interface SessionOptions {
  readonly host: SessionHost;
  readonly peer: Peer;
  readonly transcript: string;
  readonly send: CipherState;
  readonly priority: Priority;
}

const DROPPABLE = { droppable: true } as const;

/** What its server's owner may do with it. After its end nothing is sent and nothing comes. */
export class Session {
  /** Of its connection; never used again by the same server. */
  readonly id: string;
  readonly peer: Peer;
  /** Hash of the handshake, base64url: what a proof signs. */
  readonly transcript: string;
  /** Who is behind it, set by the owner after {@linkcode Session.prove}. */
  actor: Actor | undefined;
  /** False after the end. */
  open = true;
  readonly #made: SessionOptions;
  #heard = performance.now();
  #proof: { readonly key: string; readonly sig: string; readonly good: boolean } | undefined;

  /** For {@linkcode SessionServer} alone. */
  constructor(made: SessionOptions) {
    this.#made = made;
    this.id = made.peer.id;
    this.peer = made.peer;
    this.transcript = made.transcript;
  }

  /**
   * When it was heard last, ms by `performance.now()`. Over a watchful engine that is now as long as
   * it is open: who does not answer a PING is cut.
   */
  get heard(): number {
    return this.#made.host.watchful && this.open ? performance.now() : this.#heard;
  }

  /** For {@linkcode SessionServer} alone: a packet of it opened. */
  touch(now: number): void {
    this.#heard = now;
  }

  /** For {@linkcode SessionServer} alone. */
  end(): void {
    this.open = false;
  }

  /**
   * True if the signature is this key's over this session. One proof is looked at in each session:
   * another one is false.
   */
  prove(key: string, sig: string): boolean {
    const former = this.#proof;
    if (former) return former.good && former.key === key && former.sig === sig;
    const began = performance.now();
    const good = verifies(key, proofText(this.transcript), sig);
    this.#made.host.spent(this.#made.priority, performance.now() - began);
    this.#proof = { key, sig, good };
    return good;
  }

  /** Sends a reply, JSON. False when the session is over. */
  reply(json: string): boolean {
    if (!this.open) return false;
    const packet = this.#made.send.seal(json, HEAD.sealed);
    if (this.peer.send([MAGIC, packet])) return true;
    this.cut("takes no more"); // A packet of the order is lost: no later one would open.
    return false;
  }

  /** Sends what was not asked for, JSON, in order with the replies. False as in {@linkcode reply}. */
  push(json: string): boolean {
    return this.reply(json);
  }

  /** Writes a feed packet; false when the session is over or reads too slowly, then it is dropped. */
  feed(message: Encoded): boolean {
    return this.open && this.peer.write(message, DROPPABLE);
  }

  /** A request is being served until the function given back is called; it may be called twice. */
  serving(): () => void {
    let under = true;
    this.peer.begin();
    return () => {
      if (under) this.peer.end();
      under = false;
    };
  }

  /** Ends session and connection; the owner's `onGone` is called before this returns. */
  cut(why: string): void {
    if (this.open) this.#made.host.cut(this.peer, why);
  }
}
