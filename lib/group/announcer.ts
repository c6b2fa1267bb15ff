/** Keeps a group's lease with each of its registries, once a second, and takes it back at the end. */

import { Refusal, sentence } from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import { RECORD_LIFE, RENEW_EVERY } from "../protocol/limits.ts";
import { signRecord, unregisterText } from "../protocol/record.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import type { Requester } from "../transport/requester.ts";

/** What the record says besides time and signature. */
export type Announcement = Omit<GroupRecord, "version" | "expires" | "sig">;

export interface AnnouncerOptions {
  readonly announcement: Announcement;
  readonly key: SigningKey;
  /** One connection for each registry. */
  readonly registries: readonly Requester[];
  readonly now: () => number;
  info(text: string): void;
  warn(text: string): void;
}

/** See the head of this file. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  /** Last thing said about each registry, so that each change is logged once. */
  readonly #said = new Map<Requester, string>();
  readonly #busy = new Set<Requester>();
  #record: GroupRecord | undefined;
  /** Greatest version signed: a registry takes no smaller one, whatever its clock does. */
  #version = 0;
  /** The registries' clock less ours, where it matters, ms. */
  #ahead = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /**
   * Registers with all and goes on renewing. Resolves when each registry answered or did not
   * within 1.5 s; a registry that is away is tried again every second.
   *
   * @throws {Refusal} `name_taken` when a registry gave the name to another key
   */
  async start(): Promise<void> {
    const { registries } = this.#options;
    this.#timer = setInterval(() => {
      for (const registry of registries) void this.#renew(registry);
    }, RENEW_EVERY);
    const results = await Promise.all(registries.map((registry) => this.#renew(registry)));
    const taken = results.find((error) => error instanceof Refusal && error.code === "name_taken");
    if (taken) throw taken;
  }

  /** Stops renewing and takes the lease back, within half a second. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const { announcement, key, registries } = this.#options;
    const record = this.#record;
    if (!record) return;
    const sig = key.sign(unregisterText(announcement.id, record.version));
    const request = { group: announcement.id, version: record.version, sig };
    const reached = registries.filter((registry) => this.#said.get(registry) === "registered");
    await Promise.allSettled(reached.map((r) => r.request("unregister", request, 500)));
  }

  /** What went wrong, or undefined. Never rejects. */
  async #renew(registry: Requester): Promise<unknown> {
    if (this.#busy.has(registry)) return undefined;
    this.#busy.add(registry);
    try {
      await registry.request("register", { record: this.#current() }, 1_500);
      this.#say(registry, "registered", `Registered at ${registry.address}`);
      return undefined;
    } catch (error) {
      if (error instanceof Refusal && error.code === "stale_record") await this.#setClock(registry);
      this.#say(registry, sentence(error), sentence(error), true);
      return error;
    } finally {
      this.#busy.delete(registry);
    }
  }

  #say(registry: Requester, state: string, text: string, warning = false): void {
    if (this.#said.get(registry) === state) return;
    this.#said.set(registry, state);
    if (warning) this.#options.warn(text);
    else this.#options.info(text);
  }

  /** A registry judges expiry and version by its own clock, so the next record goes by that one. */
  async #setClock(registry: Requester): Promise<void> {
    this.#record = undefined;
    const { at } = await registry.request("ping", {}, 1_000).catch(() => ({ at: undefined }));
    if (typeof at === "number") this.#ahead = at - this.#options.now();
  }

  #current(): GroupRecord {
    const { announcement, key, now } = this.#options;
    const time = now() + this.#ahead;
    const old = this.#record;
    if (old && old.expires - time > RECORD_LIFE / 2) return old;
    const version = this.#version = Math.max(time, this.#version + 1);
    this.#record = signRecord({ ...announcement, version, expires: time + RECORD_LIFE }, key);
    return this.#record;
  }
}
