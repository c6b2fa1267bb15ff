/** What the system tests share: folders that go away, raw peers, and a user made of requests. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { proofText } from "../../lib/protocol/record.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { Requester } from "../../lib/transport/requester.ts";
import type { Channel, OutFrames } from "../../lib/transport/transport.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";

/** A folder that is removed with what is in it. */
export class Folder implements AsyncDisposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "zgroup-test-"));

  // deno-lint-ignore require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A connection that sends any frames, and hands out what comes back, in order. */
export class RawPeer implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #arrived: string[][] = [];
  #wake: () => void = () => {};

  constructor(address: string) {
    this.#channel = zmqTransport().connect({
      address,
      onMessage: (frames) => {
        this.#arrived.push(frames.map((frame) => new TextDecoder().decode(frame)));
        this.#wake();
      },
    });
  }

  /** Sends frames and gives the next message that comes back; fails after 5 s. */
  async ask(...frames: OutFrames): Promise<string[]> {
    this.#channel.send(frames);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        timer = setTimeout(() => reject(new Error(`No reply to ${frames}`)), 5_000);
        if (this.#arrived.length > 0) resolve();
      });
    } finally {
      clearTimeout(timer);
    }
    return this.#arrived.shift()!;
  }

  /** What was answered to frames of our own protocol: the id, and the code or `ok`. */
  async code(...frames: OutFrames): Promise<[id: number | null, code: string]> {
    const [magic, json, ...rest] = await this.ask(...frames);
    if (magic !== "zg1" || rest.length > 0) throw new Error(`Not a reply: ${magic}`);
    const { id, ok, error } = JSON.parse(json);
    return [id, ok ? "ok" : error.code];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#channel.close();
  }
}

interface Accepted {
  readonly from: number;
  readonly count: number;
  readonly at: number;
  readonly duplicate?: boolean;
}

/** A user of a group in the clear, request by request. */
export class RawMember implements AsyncDisposable {
  readonly key: SigningKey;
  readonly user: string;
  readonly #requester: Requester;
  #group = "";
  #session = "";

  constructor(address: string, key: SigningKey = newSigningKey()) {
    this.key = key;
    this.user = userId(key.publicKey);
    this.#requester = new Requester({ transport: zmqTransport(), address, what: "the group" });
  }

  get session(): string {
    return this.#session;
  }

  /** The group's nonce, and its id. */
  async hello(): Promise<{ nonce: string; group: { id: string } }> {
    const fields = { key: this.key.publicKey, name: "raw" };
    return await this.#requester.request("hello", fields) as never;
  }

  /** Proves with the right key, or another. */
  async prove(signer: SigningKey = this.key): Promise<void> {
    const { nonce, group } = await this.hello();
    const sig = signer.sign(proofText(nonce, group.id));
    const { session } = await this.#requester.request("prove", { sig });
    this.#group = group.id;
    this.#session = session as string;
  }

  /** The `ok` of a request with this session, or with another. */
  ask(op: string, fields: object = {}, session = this.#session): Promise<Record<string, unknown>> {
    return this.#requester.request(op, { session, ...fields });
  }

  async send(messages: readonly Message[]): Promise<Accepted[]> {
    const text = signedText(this.#group, this.user, messages.map(messageHash));
    const { accepted } = await this.ask("send", { messages, sig: this.key.sign(text) });
    return accepted as Accepted[];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#requester.close();
  }
}
