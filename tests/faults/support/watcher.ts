/** A member that asks each server of a group how far it is, and what it holds. */

import { setTimeout } from "node:timers/promises";
import { Refusal } from "../../../lib/errors.ts";
import { newSigningKey } from "../../../lib/identity/keys.ts";
import type { Batch } from "../../../lib/protocol/batch.ts";
import { proofText } from "../../../lib/protocol/record.ts";
import { GROUP_REPLIES } from "../../../lib/protocol/schema.ts";
import { SessionClient } from "../../../lib/session/client.ts";
import { zmtpTransport } from "../../../lib/transport/zmtp/engine.ts";
import type { Held } from "./audit.ts";

const replies = {
  prove: GROUP_REPLIES.prove,
  ping: GROUP_REPLIES.ping,
  join: GROUP_REPLIES.join,
  read: GROUP_REPLIES.read,
};
/** How long a request may take, ms; one of an audit. */
const [WITHIN, LONG] = [900, 20_000];

/** How far a server is. */
export interface Stand {
  readonly head: number;
  /** Of its newest batch: of the whole history, as each hash holds the one before. */
  readonly hash: string;
}

/** All that a server has. */
export interface Story extends Stand {
  readonly held: readonly Held[];
  /** What is wrong with it by itself. */
  readonly problems: readonly string[];
}

/** See the head of this file. */
export class Watcher implements AsyncDisposable {
  readonly #key = newSigningKey();
  readonly #transport = zmtpTransport();
  readonly #clients = new Map<string, SessionClient<typeof replies>>();

  /** Joins; may be asked again. @throws {Refusal} {Unreachable} */
  async join(address: string): Promise<void> {
    await this.#client(address).request("join", {}, LONG);
  }

  /** Undefined where it does not answer. */
  async stand(address: string, within = WITHIN): Promise<Stand | undefined> {
    try {
      const { head, hash = "" } = await this.#client(address).request("ping", {}, within);
      return { head, hash };
    } catch {
      return undefined;
    }
  }

  /** Reads everything from one server. @throws {Refusal} {Unreachable} */
  async story(address: string): Promise<Story> {
    const held: Held[] = [];
    const problems: string[] = [];
    let [next, time, hash] = [1, 0, ""];
    for (;;) {
      const page = await this.#page(address, next - 1);
      for (const batch of page.batches as Batch[]) {
        const { first, count, at, messages = [] } = batch;
        if (first !== next) problems.push(`${first} follows ${next - 1}`);
        if (at < time) problems.push(`the time goes back at ${first}`);
        for (const [i, [mid, text]] of messages.entries()) {
          held.push({ seq: first + i, at, mid, text });
        }
        [next, time, hash] = [first + count, at, batch.hash ?? ""];
      }
      if (!page.more) return { head: next - 1, hash, held, problems };
    }
  }

  /** A page of the history; who puts it off is asked again, as a member does. */
  async #page(address: string, after: number) {
    for (const end = performance.now() + LONG;;) {
      try {
        return await this.#client(address).request("read", { after }, LONG);
      } catch (error) {
        if (!(error instanceof Refusal && error.code === "busy") || performance.now() > end) {
          throw error;
        }
        await setTimeout(error.retryAfter);
      }
    }
  }

  #client(address: string): SessionClient<typeof replies> {
    let client = this.#clients.get(address);
    if (client) return client;
    client = new SessionClient({
      transport: this.#transport,
      address,
      what: "the server",
      replies,
      check() {},
      prove: (transcript) => ({
        key: this.#key.publicKey,
        name: "watcher",
        sig: this.#key.sign(proofText(transcript)),
      }),
    });
    this.#clients.set(address, client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }
}
