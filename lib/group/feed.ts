/**
 * The live feed: who may hear it, and what goes out.
 *
 * The topic is random and never told to anyone: a member sends a personal token as its
 * subscription, and the transport applies the topic to that connection. Taking someone's token
 * away is followed by a change of the topic; the others are told and send their tokens again.
 */

import { Buffer } from "node:buffer";
import type { ReadBatch } from "../log/log.ts";
import { randomToken } from "../identity/keys.ts";
import { LIVE_BYTES } from "../protocol/limits.ts";
import type { Publisher } from "../transport/transport.ts";

/** JSON around the batches of a frame, bytes. */
const AROUND = 128;
/** Tokens of one user that count; an older one is forgotten. */
const TOKENS_PER_USER = 64;

/** See the head of this file. */
export class Feed {
  readonly epoch: string;
  #publisher: Publisher | undefined;
  #topic = randomToken();
  /** Each good token: the topic it got last, empty before its first subscription. */
  readonly #topics = new Map<string, string>();
  readonly #tokens = new Map<string, Set<string>>();

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** From here on what is published goes out. */
  open(publisher: Publisher): void {
    this.#publisher = publisher;
  }

  /** A personal subscription token for a user. */
  grant(user: string): string {
    const token = randomToken();
    const own = this.#tokens.get(user) ?? new Set();
    if (own.size >= TOKENS_PER_USER) {
      const oldest = own.values().next().value!;
      own.delete(oldest);
      this.#topics.delete(oldest);
    }
    own.add(token);
    this.#tokens.set(user, own);
    this.#topics.set(token, "");
    return token;
  }

  /** The topic for a token that is good, for the transport to apply. */
  topicFor(token: string): string | undefined {
    if (!this.#topics.has(token)) return undefined;
    this.#topics.set(token, this.#topic);
    return this.#topic;
  }

  /** The topic that the transport applied for a token before, to be taken back. */
  formerTopic(token: string): string | undefined {
    return this.#topics.get(token) || undefined;
  }

  /** Nothing published from now on reaches the user. True when the others subscribe again. */
  revoke(user: string): boolean {
    for (const token of this.#tokens.get(user) ?? []) this.#topics.delete(token);
    if (!this.#tokens.delete(user)) return false;
    this.#send({ epoch: this.epoch, resubscribe: true });
    this.#topic = randomToken();
    return true;
  }

  /** Sends the batches of one commit, several to a frame. */
  entries(batches: readonly ReadBatch[]): void {
    if (this.#topics.size === 0) return; // Nobody was given a token: nobody can hear it.
    for (let i = 0; i < batches.length;) {
      let text = batches[i].json;
      let bytes = AROUND + Buffer.byteLength(text);
      const from = batches[i++].first;
      while (i < batches.length) {
        bytes += 1 + Buffer.byteLength(batches[i].json);
        if (bytes > LIVE_BYTES) break;
        text += `,${batches[i++].json}`;
      }
      this.#text(`{"epoch":"${this.epoch}","from":${from},"batches":[${text}]}`);
    }
  }

  /** Tells how far the log goes, so that a member sees what it missed. */
  head(head: number): void {
    this.#send({ epoch: this.epoch, head });
  }

  /** A hint that lives a few seconds and is never logged. */
  hint(hint: object): void {
    this.#send({ epoch: this.epoch, ...hint });
  }

  #send(value: object): void {
    this.#text(JSON.stringify(value));
  }

  #text(text: string): void {
    this.#publisher?.publish(this.#topic, text);
  }
}
