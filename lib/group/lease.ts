/** A group's lease with one registry, and what that registry said. */

import { Closed, IdentityChanged, Refusal, sentence } from "../errors.ts";
import { shortKey, type SigningKey } from "../identity/keys.ts";
import { CLOCK_SLACK, RECORD_LIFE } from "../protocol/limits.ts";
import { formatAddress, isOwnOnly, parseAddress, type RegistryAddress } from "../text/addresses.ts";
import { typedName } from "../text/names.ts";
import { signRecord, unregisterText } from "../protocol/record.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import {
  type Pins,
  type RegistryClient,
  registryClient,
  type RegistryOp,
  type RegistryReply,
} from "../session/registry_client.ts";
import type { Transport } from "../transport/transport.ts";

/** What the record says besides time and signature; `server` where the group has several. */
export type Announcement = Omit<GroupRecord, "version" | "expires" | "sig">;

export interface LeaseOptions {
  readonly announcement: Announcement;
  readonly key: SigningKey;
  /** The group speaks dialects, too. */
  readonly plain?: boolean;
  readonly registry: RegistryAddress;
  readonly transport: Transport;
  /** Which key each registry had at its first use. */
  readonly pins: Pins;
  /** The date, ms since 1970. */
  readonly now: () => number;
  /** The record that everybody gets. */
  record(): GroupRecord;
  info(text: string): void;
  warn(text: string): void;
}

/** A registry whose clock is further off is not believed, ms. */
const MAX_AHEAD = 86_400_000 + CLOCK_SLACK;
/** How long a registry is left alone that has another key, or gave the name to another, ms. */
const LEFT_ALONE = 10_000;
/** By how much a version grows that was too small by the registry's own clock, ms. */
const STEP = 30_000;

/** One lease. */
export class Lease {
  readonly #options: LeaseOptions;
  #client: RegistryClient | undefined;
  /** Last thing said, so that each change is logged once. */
  #said = "";
  /** The record that this registry took last. */
  #taken: GroupRecord | undefined;
  /** A record for this registry alone, when it does not take the one that everybody gets. */
  #own: GroupRecord | undefined;
  /** The registry's clock less ours, where it matters, ms. */
  #ahead = 0;
  /** What others cannot reach, and why, as it was told. */
  #unreached = "";
  /** Where another server of this key is, as it was told. */
  #rival = "";
  /** How far ahead of its clock the version must be, because a greater one was seen there, ms. */
  #extra = 0;
  /** Not asked before, by `performance.now()`. */
  #notBefore = 0;
  #busy = false;
  #closed = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Registers or renews; the refusal when the name belongs to another key. Never rejects. */
  async renew(): Promise<Refusal | undefined> {
    if (this.#busy || this.#closed || performance.now() < this.#notBefore) return undefined;
    this.#busy = true;
    try {
      const { plain } = this.#options;
      const record = this.#current();
      const seen = await this.#ask("register", { record, ...(plain && { plain }) }, 1_500);
      this.#taken = record;
      this.#extra = 0;
      this.#say("registered", this.#registered());
      this.#sayReach(seen);
      return undefined;
    } catch (error) {
      return await this.#failed(error);
    } finally {
      this.#busy = false;
    }
  }

  async #failed(error: unknown): Promise<Refusal | undefined> {
    if (this.#closed || error instanceof Closed) return undefined;
    if (error instanceof IdentityChanged) {
      this.#rest(LEFT_ALONE);
      await this.#disconnect(); // The session was refused: a look after that needs another.
    }
    if (!(error instanceof Refusal)) {
      this.#say(sentence(error), sentence(error), true);
      return undefined;
    }
    if (error.code === "stale_record" && await this.#setClock()) return undefined;
    const text = `${sentence(error)} (${this.#options.registry.address})`;
    this.#say(text, text, true);
    if (error.retryAfter !== undefined) this.#rest(Math.min(error.retryAfter, LEFT_ALONE));
    if (error.code !== "name_taken") return undefined;
    this.#rest(LEFT_ALONE);
    return error;
  }

  #rest(ms: number): void {
    this.#notBefore = performance.now() + ms;
  }

  #registered(): string {
    const { registry: { address }, pins } = this.#options;
    const key = pins.get(address);
    return `Registered at ${address}${key ? `, whose key is ${shortKey(key)}` : ""}`;
  }

  /** Says once what keeps others from coming, as this registry sees it. */
  #sayReach(seen: RegistryReply<"register">): void {
    const { announcement, registry, warn } = this.#options;
    const problem = reachProblem(announcement, registry.address, seen) ?? "";
    if (problem === this.#unreached) return;
    this.#unreached = problem;
    if (problem) warn(problem);
  }

  #say(state: string, text: string, warning = false): void {
    if (this.#said === state) return;
    this.#said = state;
    if (warning) this.#options.warn(text);
    else this.#options.info(text);
  }

  /**
   * A registry judges expiry and version by its own clock, so the next record for it goes by that
   * one. True when there is nothing to be told: the next try will do.
   */
  async #setClock(): Promise<boolean> {
    const { registry: { address }, now } = this.#options;
    const { at } = await this.#ask("ping", {}, 1_000).catch(() => ({ at: undefined }));
    if (at === undefined) return false;
    const ahead = at - now();
    if (Math.abs(ahead) > MAX_AHEAD) {
      const text = `Cannot register at ${address}: its clock differs from this machine's by more ` +
        "than a day, so it is not followed; set the one that is wrong";
      this.#say("clock", text, true);
      return true;
    }
    this.#ahead = Math.abs(ahead) > CLOCK_SLACK / 2 ? ahead : 0;
    const tried = this.#own !== undefined;
    if (tried) await this.#sayRival();
    // It took a version from ahead of its clock before: no further than it takes any.
    if (tried) this.#extra = Math.min(this.#extra + STEP, CLOCK_SLACK - 10_000);
    this.#own = this.#sign();
    return !tried || this.#extra < CLOCK_SLACK - 10_000;
  }

  /** Says once of each address that another server with this group's key registers there. */
  async #sayRival(): Promise<void> {
    const { announcement: { id, name, address, server }, registry, warn } = this.#options;
    if (server !== undefined) return; // Each of several servers has a lease of its own.
    const { group } = await this.#ask("resolve", { group: id }, 1_000)
      .catch(() => ({ group: undefined }));
    const isRival = group?.record?.id === id && group.state === "live" &&
      group.address !== address;
    if (!isRival || group.address === this.#rival) return;
    this.#rival = group.address;
    warn(
      `Another server with the key of ${name} registers at ${registry.address}, from ` +
        `${group.address}: stop one of them`,
    );
  }

  #current(): GroupRecord {
    const left = this.#own && this.#own.expires - this.#time();
    if (left === undefined) return this.#options.record();
    if (left > RECORD_LIFE / 2 && left <= RECORD_LIFE) return this.#own!;
    return this.#own = this.#sign();
  }

  #time(): number {
    return this.#options.now() + this.#ahead;
  }

  #sign(): GroupRecord {
    const { announcement, key } = this.#options;
    const time = this.#time();
    const version = time + this.#extra;
    return signRecord({ ...announcement, version, expires: time + RECORD_LIFE }, key);
  }

  #ask<K extends RegistryOp>(op: K, fields: object, timeout: number): Promise<RegistryReply<K>> {
    const { transport, registry, pins } = this.#options;
    this.#client ??= registryClient({
      transport,
      ...registry,
      pins,
      wayOut: registry.key
        ? `start the group with --registry ${registry.address}#KEY`
        : `take ${registry.address} out of registries.json in the group's folder and start it again`,
    });
    return this.#client.request(op, fields, timeout);
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  /** Takes the lease back, within half a second, and leaves. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { announcement, key } = this.#options;
    if (this.#taken && this.#said === "registered") {
      const { version } = this.#taken;
      const { id, server } = announcement;
      const sig = key.sign(unregisterText(id, version, server));
      const fields = { group: id, version, ...(server === undefined ? {} : { server }), sig };
      await this.#ask("unregister", fields, 500).catch(() => {});
    }
    await this.#disconnect();
  }
}

/** Why others cannot reach a group that registered, and what to do; undefined where nothing is known. */
function reachProblem(
  { name, address }: Announcement,
  registry: string,
  { from, reached }: RegistryReply<"register">,
): string | undefined {
  const endpoint = parseAddress(address);
  if (!endpoint || from === undefined || isOwnOnly(from)) return undefined;
  const { host, port } = endpoint;
  if (isOwnOnly(host)) {
    const there = formatAddress({ host: from, port });
    return `Others cannot reach ${address}, which is this machine's own; start it as ` +
      `group.ts ${typedName(name)} ${there} --registry ${registry}`;
  }
  if (reached !== false) return undefined;
  return `Others may not reach ${address}: the registry ${registry} cannot connect to port ${port} ` +
    `of ${from}; let TCP port ${port} in at this machine's firewall`;
}
