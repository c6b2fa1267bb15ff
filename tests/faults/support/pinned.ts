/**
 * A member of one server alone, which goes nowhere else whatever that server says: it sends one
 * message after the other, and holds what it is answered against what anybody was told before.
 */

import { setTimeout } from "node:timers/promises";
import { Closed, isRetriable, Refusal } from "../../../lib/errors.ts";
import { newSigningKey, userId } from "../../../lib/identity/keys.ts";
import { midMaker } from "../../../lib/identity/mids.ts";
import { messageHash, signedText } from "../../../lib/protocol/batch.ts";
import { proofText } from "../../../lib/protocol/record.ts";
import { GROUP_REPLIES, type Message, type ReplyOf } from "../../../lib/protocol/schema.ts";
import { SessionClient } from "../../../lib/session/client.ts";
import { zmtpTransport } from "../../../lib/transport/zmtp/engine.ts";
import type { Ledger } from "./audit.ts";
import type { Fault } from "./fault.ts";

type Asked = keyof typeof GROUP_REPLIES;

/** How long a request may take, ms. */
const WITHIN = 2_000;
/** Between two tries, ms. */
const AGAIN = 100;

/** See the head of this file. */
export class Pinned {
  readonly address: string;
  readonly #fault: Fault;
  readonly #ledger: Ledger;
  readonly #client: SessionClient<typeof GROUP_REPLIES>;
  readonly #key = newSigningKey();
  readonly #user = userId(this.#key.publicKey);
  readonly #mid = midMaker();
  readonly #pace: () => number;
  readonly #stop = new AbortController();
  /** Its id, known in the first session. */
  #group = "";
  /** How many of its messages are acknowledged. */
  sent = 0;
  /** Codes of the refusals that it was told. */
  readonly refusals = new Set<string>();
  #n = 0;
  #done: Promise<void> | undefined;
  /** Called at each acknowledgement, with how long it took, ms. */
  onAck: (ms: number) => void = () => {};

  constructor(fault: Fault, address: string, ledger: Ledger, pace: () => number) {
    this.address = address;
    this.#fault = fault;
    this.#ledger = ledger;
    this.#pace = pace;
    this.#client = new SessionClient({
      transport: zmtpTransport(),
      address,
      what: "the group",
      replies: GROUP_REPLIES,
      check: (identity) => {
        if ("group" in identity) this.#group = identity.group.id;
      },
      prove: (transcript) => ({
        key: this.#key.publicKey,
        name: "pinned",
        sig: this.#key.sign(proofText(transcript)),
      }),
    });
    fault.onClose(() => this.#client.close());
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Resolves when what it sent is acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    try {
      await this.#insist("join", {});
      await Promise.all([this.#talk(), this.#watch()]);
    } catch (error) {
      if (!(error instanceof Closed)) throw error;
    }
  }

  async #talk(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#shows("ping", {}, await this.#send(), "its member's own message");
      await setTimeout(this.#pace());
    }
  }

  /** What its server answers must have all that anybody was told was accepted. */
  async #watch(): Promise<void> {
    const what = "what was acknowledged elsewhere";
    while (!this.#stop.signal.aborted) {
      await this.#shows("read", { last: true, limit: 1 }, this.#ledger.head, what);
      // Which is answered without a look at the log.
      await this.#shows("subscribe", {}, this.#ledger.head, what);
      await setTimeout(AGAIN);
    }
  }

  /** Where its message stands. */
  async #send(): Promise<number> {
    const text = `${this.#user} at ${this.address}, ${++this.#n}`;
    const messages: Message[] = [[this.#mid(), text]];
    this.#ledger.tried(text);
    const sig = this.#key.sign(signedText(this.#group, this.#user, messages.map(messageHash)));
    const begin = performance.now();
    const { accepted } = await this.#insist("send", { messages, sig });
    const [{ from }] = accepted;
    this.#ledger.ack(messages[0][0], from, text);
    this.sent++;
    this.onAck(performance.now() - begin);
    return from;
  }

  async #shows(
    op: "ping" | "read" | "subscribe",
    fields: object,
    seq: number,
    what: string,
  ): Promise<void> {
    const reply = await this.#ask(op, fields);
    if (!reply) return;
    this.#fault.count("looks");
    this.#fault.expect(reply.head >= seq, `stale: a server answered without ${what}`);
  }

  /** Asks until it is answered. */
  async #insist<K extends Asked>(
    op: K,
    fields: object,
  ): Promise<ReplyOf<typeof GROUP_REPLIES, K>> {
    for (;;) {
      const reply = await this.#ask(op, fields);
      if (reply) return reply;
      await setTimeout(AGAIN);
    }
  }

  /** Undefined: not now. */
  async #ask<K extends Asked>(
    op: K,
    fields: object,
  ): Promise<ReplyOf<typeof GROUP_REPLIES, K> | undefined> {
    try {
      return await this.#client.request(op, fields, WITHIN);
    } catch (error) {
      if (error instanceof Closed) throw error;
      const { message } = error as Error;
      this.#fault.expect(isRetriable(error), `a member at one server was told: ${message}`);
      if (error instanceof Refusal) this.refusals.add(error.code);
      this.#fault.count("put_off");
      return undefined;
    }
  }
}
