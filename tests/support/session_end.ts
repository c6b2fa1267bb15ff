/** A client's end of a session, packet by packet: what is sealed here, and what comes is opened. */

import { Buffer } from "node:buffer";
import type { Refusal } from "../../lib/errors.ts";
import { decodeSaid, encodeRequest } from "../../lib/protocol/codec.ts";
import type { Push, ServerPush } from "../../lib/protocol/schema.ts";
import { readAnswer, type ServerIdentity, transcriptOf } from "../../lib/session/identity.ts";
import { type CipherState, Initiator } from "../../lib/session/noise.ts";
import { HEAD, KIND, PROLOGUE } from "../../lib/session/packet.ts";

/** A reply; one of both is there. */
export interface Answer {
  readonly id: number | null;
  readonly ok?: Record<string, unknown>;
  readonly error?: Refusal;
}

/** See the head of this file; who carries the packets is somebody else's. */
export class SessionEnd {
  /** Packets of the live feed, and pushes, as they came. */
  readonly feed: Buffer[] = [];
  readonly pushes: Push[] = [];
  /** What is told to servers alone. */
  readonly news: ServerPush[] = [];
  identity!: ServerIdentity;
  /** What a proof signs. */
  transcript = "";
  #initiator!: Initiator;
  #send!: CipherState;
  #receive!: CipherState;
  #id = 0;

  /** The packet of a hello: what was before it counts no more, once it is answered. */
  hello(ticket: Uint8Array = new Uint8Array(0)): Uint8Array {
    this.#initiator = new Initiator(PROLOGUE);
    return this.#initiator.write(ticket, HEAD.hello);
  }

  /** Takes the answer to the hello. @throws {Error} it is none */
  take(answer: Uint8Array): void {
    if (answer[0] !== KIND.answer) throw new Error(`No answer but a packet of kind ${answer[0]}`);
    const { payload, before, send, receive, hash } = this.#initiator.read(answer.subarray(1));
    this.identity = readAnswer(payload, before);
    this.transcript = transcriptOf(hash);
    [this.#send, this.#receive] = [send, receive];
  }

  /** The next sealed packet, with any plaintext; to be sent in the order in which they are made. */
  seal(plaintext: string | Uint8Array): Uint8Array {
    return this.#send.seal(plaintext, HEAD.sealed);
  }

  /** The packet of a request. */
  request(op: string, fields: object = {}): Uint8Array {
    return this.seal(encodeRequest(++this.#id, op, fields));
  }

  /** The first reply among the packets that come; feed packets and pushes before it are kept. */
  async reply(next: () => Promise<Uint8Array>): Promise<Answer> {
    for (;;) {
      const packet = await next();
      if (packet[0] === KIND.feed) this.feed.push(Buffer.from(packet));
      else if (packet[0] !== KIND.sealed) throw new Error(`A packet of kind ${packet[0]} came`);
      else {
        const said = decodeSaid(this.#receive.open(packet.subarray(1)));
        if (!("push" in said)) return said;
        if (said.push === "feed") this.pushes.push(said);
        else this.news.push(said);
      }
    }
  }
}

/** The `ok` of a reply. @throws {Refusal} what the server answered */
export function okOf({ ok, error }: Answer): Record<string, unknown> {
  if (error) throw error;
  return ok!;
}
