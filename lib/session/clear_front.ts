/** Peers in the clear at a server: messages of a dialect to requests, and what is answered back. */

import type { Dialect } from "../dialects/dialect.ts";
import type { Frames, Peer } from "../transport/transport.ts";
import { Pages } from "./pages.ts";

export interface ClearFrontOptions<A> {
  readonly dialects: readonly Dialect[];
  /** False: whatever is asked fails. */
  readonly serves: boolean;
  /** What a message asks; undefined for rubbish. */
  decode(dialect: Dialect, frames: Frames): A | undefined;
  /** A peer asked something that was understood: it is a stranger no more. */
  admit(peer: Peer): void;
  /** Answered for each connection one after the other, and only while it takes what it has. */
  isPaced(asked: A): boolean;
  /** The answer; whatever it rejects with, the peer is told that it failed. */
  answer(dialect: Dialect, asked: A, peer: Peer): Promise<string>;
}

/** Serves the peers that speak a dialect. */
export class ClearFront<A> {
  readonly #options: ClearFrontOptions<A>;
  readonly #pages = new Pages();
  /** Who asked, as long as it takes what it gets. */
  readonly #readers = new WeakMap<Peer, { open: boolean; readonly peer: Peer }>();

  constructor(options: ClearFrontOptions<A>) {
    this.#options = options;
  }

  /** One message, rubbish included: its clients wait for ever without an answer. Never throws. */
  receive(peer: Peer, frames: Frames): void {
    const { dialects, serves, decode, admit, isPaced, answer } = this.#options;
    const dialect = dialects.find((one) => one.speaks(frames));
    if (!dialect) return peer.cut("speaks no protocol known here");
    const asked = serves ? decode(dialect, frames) : undefined;
    if (!asked) return void peer.send([dialect.failed]);
    peer.begin();
    admit(peer);
    const reader = this.#readers.get(peer) ?? { open: true, peer };
    this.#readers.set(peer, reader);
    const send = (text: string) => {
      peer.end();
      reader.open = peer.send([text]);
    };
    const fail = () => send(dialect.failed);
    const make = () => answer(dialect, asked, peer).then(send, fail);
    if (isPaced(asked)) this.#pages.add(reader, { make, drop: fail });
    else void make();
  }
}
