/** What the attacks share: an encrypted group to attack, attackers with keys, and their counts. */

import { readFileSync } from "node:fs";
import process from "node:process";
import { connect, Group, Registry } from "../../mod.ts";
import type { GroupServer, OpenGroupOptions, User } from "../../mod.ts";
import { Refusal } from "../../lib/errors.ts";
import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { enterText, proofText } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { Requester } from "../../lib/transport/requester.ts";
import type { Channel, CurveKeys, OutFrames } from "../../lib/transport/transport.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { until } from "../support.ts";
import { ours, Process } from "./processes.ts";

/** True for the numbers of the whole suite instead of those of an ordinary run. */
export const FULL = process.env.ZGROUP_FULL === "1";

/** A number of attacks: the whole one with `ZGROUP_FULL=1`. */
export function sized(normal: number, full: number): number {
  return FULL ? full : normal;
}

/** Prints what a row came to. */
export function row(what: string, counts: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ");
  console.log(`attack: ${what}: ${text}`);
}

type Keep = <T extends AsyncDisposable>(one: T) => T;

/** A group in this process, with a registry and a founder who has joined. */
export interface World {
  readonly registry: string;
  readonly group: GroupServer;
  readonly record: GroupRecord;
  readonly founder: User;
}

/** Starts one. The founder's home is `home`. */
export async function world(
  keep: Keep,
  home: string,
  options: Partial<OpenGroupOptions> = {},
): Promise<World> {
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const founder = keep(await connect({ home, name: "founder", registries }));
  const group = keep(
    await Group.start({ name: "Lab", home, memory: true, registries, ...options }),
  );
  await founder.join("Lab");
  const record = await recordOf(registry.address, "Lab");
  return { registry: registry.address, group, record, founder };
}

/** A group as a process of its own, with a registry in this one. */
export async function processWorld(
  keep: Keep,
  folder: string,
  ...options: string[]
): Promise<{ registry: string; record: GroupRecord; group: Process; pid: number }> {
  const registry = keep(await Registry.start({ port: 0 }));
  const place = ["--registry", registry.address, "--home", folder, "--quiet"];
  // The shell says its process id and becomes the group.
  const command = ours("group.ts", "Lab", "127.0.0.1:0", ...place, ...options);
  const group = keep(new Process(["sh", "-c", 'echo "PID $$"; exec "$@"', "sh", ...command]));
  const pid = Number((await group.line(/^PID /)).slice(4));
  await group.line(/listens/);
  return {
    registry: registry.address,
    record: await recordOf(registry.address, "Lab"),
    group,
    pid,
  };
}

/** The signed record of a listed group. */
export async function recordOf(registry: string, name: string): Promise<GroupRecord> {
  const address = registry;
  await using asking = new Requester({ transport: zmqTransport(), address, what: "the registry" });
  const { group } = await asking.request("resolve", { group: name });
  return (group as { record: GroupRecord }).record;
}

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

/** `ok`, or the code of the refusal. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** How often each answer came. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  get all(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort());
  }
}

/** Somebody with keys of its own who builds every request by hand. */
export class Attacker implements AsyncDisposable {
  readonly key: SigningKey;
  readonly user: string;
  readonly curve: CurveKeys = zmqTransport().curveKeys();
  readonly #record: GroupRecord;
  readonly #open = new Map<string, Requester>();

  constructor(record: GroupRecord, key: SigningKey = newSigningKey()) {
    this.#record = record;
    this.key = key;
    this.user = userId(key.publicKey);
  }

  /** A request at the door or the commands, over this attacker's CURVE key. */
  ask(
    where: "door" | "address",
    op: string,
    fields: object,
    ms = 4_000,
  ): Promise<Record<string, unknown>> {
    let requester = this.#open.get(where);
    if (!requester) {
      requester = new Requester({
        transport: zmqTransport(),
        address: this.#record[where],
        what: "the group",
        security: { serverKey: this.#record.curve, keys: this.curve },
      });
      this.#open.set(where, requester);
    }
    return requester.request(op, fields, ms);
  }

  /** What `enter` takes, with or without an invite. */
  knock(invite?: string, curve = this.curve.publicKey): Record<string, unknown> {
    const sig = this.key.sign(enterText(this.#record.id, curve, invite));
    return { key: this.key.publicKey, name: "mallory", curve, ...(invite ? { invite } : {}), sig };
  }

  enter(invite?: string): Promise<Record<string, unknown>> {
    return this.ask("door", "enter", this.knock(invite));
  }

  /** Proves this attacker's own key; the session's token. */
  async prove(): Promise<string> {
    const hello = await this.ask("address", "hello", { key: this.key.publicKey, name: "mallory" });
    const sig = this.key.sign(proofText(String(hello.nonce), this.#record.id));
    return String((await this.ask("address", "prove", { sig })).session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map((requester) => requester.close()));
  }
}

/** A connection that sends any frames and counts what comes back. */
export class RawChannel implements AsyncDisposable {
  readonly arrived: string[] = [];
  readonly #channel: Channel;

  constructor(address: string, serverKey = "", keys?: CurveKeys) {
    this.#channel = zmqTransport().connect({
      address,
      ...(serverKey ? { security: { serverKey, ...(keys ? { keys } : {}) } } : {}),
      onMessage: (frames) => {
        this.arrived.push(new TextDecoder().decode(frames[frames.length - 1]));
      },
    });
  }

  send(frames: OutFrames): boolean {
    return this.#channel.send(frames);
  }

  /**
   * One reply for each of the messages; fails after 20 s. Asks again after 4: a watchdog that sees
   * the memory of the whole test may open the door anew, and what is under way is lost.
   */
  async askAll(messages: readonly OutFrames[], tries = 5): Promise<string[]> {
    const begin = this.arrived.length;
    for (const frames of messages) {
      await until(() => this.send(frames), 10_000, "room for a message");
    }
    const wanted = begin + messages.length;
    try {
      await until(() => this.arrived.length >= wanted, 4_000, `${messages.length} replies`);
      return this.arrived.slice(begin, wanted);
    } catch (error) {
      if (tries <= 1) throw error;
      return this.askAll(messages, tries - 1);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#channel.close();
  }
}

/** `ok` or the code of a reply. */
export function codeOfReply(text: string): string {
  const { ok, error } = JSON.parse(text);
  return ok ? "ok" : error.code;
}

/** Every text that differs from this one in a single byte, one for each place, flipped by `mask`. */
export function flipped(text: string, mask = 1): Uint8Array[] {
  const bytes = new TextEncoder().encode(text);
  return Array.from(bytes, (byte, i) => bytes.with(i, byte ^ mask));
}

/** A member who sends again and again and hears itself: how long each took, ms. */
export class Chatter implements AsyncDisposable {
  readonly delays: number[] = [];
  readonly #user: User;
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  readonly #pause: number;

  /** @param pause ms between two messages, so that the rate of 500 a second is never reached */
  constructor(user: User, pause = 0) {
    this.#user = user;
    this.#pause = pause;
  }

  /** Begins; resolves when the first message came back. */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    let heard: (text: string) => void = () => {};
    const listening = (async () => {
      for await (const entry of this.#user.follow("Lab", { after: 0, signal })) {
        if (entry.author === this.#user.id && entry.text) heard(entry.text);
      }
    })();
    const talking = (async () => {
      for (let n = 0; !signal.aborted; n++) {
        const text = `${performance.now()} ${n}`;
        const back = new Promise<void>((resolve) => {
          heard = (found) => found === text && resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
        const begin = performance.now();
        await this.#user.send("Lab", text, { within: Infinity });
        await back;
        if (!signal.aborted) this.delays.push(performance.now() - begin);
        if (this.#pause > 0) await new Promise((resolve) => setTimeout(resolve, this.#pause));
      }
    })();
    this.#running = Promise.allSettled([listening, talking]);
    await until(() => this.delays.length > 0, 10_000, "a message that comes back");
  }

  /** How many were heard since a mark. */
  get count(): number {
    return this.delays.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#user.close();
    await this.#running;
  }
}

/** A percentile, ms. */
export function percentile(delays: readonly number[], p: number): number {
  const sorted = delays.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? NaN;
}
