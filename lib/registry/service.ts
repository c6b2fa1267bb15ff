/** What a registry answers, to whom, and how often; knows no sockets. */

import {
  decodeRegistry002,
  encodeList002,
  FAILED,
  REGISTERED,
  type RegistryRequest002,
} from "../dialects/seed002.ts";
import { Refusal } from "../errors.ts";
import { verifies } from "../identity/keys.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk } from "../protocol/codec.ts";
import { MAX_LIST } from "../protocol/limits.ts";
import { unregisterText } from "../protocol/record.ts";
import { type GroupRecord, REGISTRY_OPS, type RegistryRequest } from "../protocol/schema.ts";
import { Buckets } from "../structures/buckets.ts";
import { networkOf } from "../text/addresses.ts";
import { FREE_AFTER, GROUPS_A_REQUEST, NEW_NAMES, REQUESTS } from "./bounds.ts";
import type { Keeper } from "./keeper.ts";
import type { RegistryState } from "./state.ts";

export interface RegistryServiceOptions {
  readonly state: RegistryState;
  readonly keeper: Keeper;
  /** What one IP may ask, a second and at once; default {@linkcode REQUESTS}. */
  readonly requests?: { readonly rate: number; readonly burst: number };
  readonly logger: { info(text: string): void; warn(text: string): void };
  /** The date, ms since 1970. */
  readonly now: () => number;
}

/** See the head of this file. `now` is a clock that never jumps, ms; `ip` who asks. */
export class RegistryService {
  readonly #options: RegistryServiceOptions;
  readonly #requests: Buckets;
  readonly #newNames = new Buckets(NEW_NAMES.rate, NEW_NAMES.burst);

  constructor(options: RegistryServiceOptions) {
    this.#options = options;
    const { rate, burst } = options.requests ?? REQUESTS;
    this.#requests = new Buckets(rate, burst);
  }

  /** The reply to a request, both as JSON. Neither throws nor rejects. */
  answer(plaintext: Uint8Array, ip: string, now: number): string | Promise<string> {
    let id: number | null = null;
    try {
      const request = decodeRequest(plaintext, REGISTRY_OPS);
      const own = id = request.id;
      this.#charge(request, ip, now);
      const answer = this.#answer(request, ip, now);
      if (!(answer instanceof Promise)) return encodeOk(own, answer);
      return answer.then((ok) => encodeOk(own, ok), (error) => this.#refusal(own, error));
    } catch (error) {
      return this.#refusal(error instanceof BadRequest ? error.id : id, error);
    }
  }

  #refusal(id: number | null, error: unknown): string {
    if (!(error instanceof Refusal)) {
      this.#options.logger.warn(`A request failed: ${(error as Error)?.stack ?? error}`);
    }
    return encodeError(id, error);
  }

  /** @throws {Refusal} `rate_limited` */
  #charge(request: RegistryRequest, ip: string, now: number): void {
    const record = request.op === "register" ? request.record : undefined;
    if (record && this.#isRenewal(record, now)) return;
    const origin = networkOf(ip);
    let wait = this.#requests.take(origin, 1, now);
    if (wait === 0 && record && !this.#options.state.isTaken(record.name)) {
      wait = this.#newNames.take(origin, 1, now);
    }
    if (wait > 0) {
      throw new Refusal("rate_limited", "Cannot serve the request: this IP asks too much", {
        retryAfter: wait,
      });
    }
  }

  /** A group that renews in time, as it should. */
  #isRenewal(record: GroupRecord, now: number): boolean {
    const { state } = this.#options;
    const renewed = state.holds(record) ? state.renewedAt(record.name) : undefined;
    return renewed !== undefined && now - renewed >= FREE_AFTER;
  }

  #answer(request: RegistryRequest, ip: string, now: number): object | Promise<object> {
    const { state, logger } = this.#options;
    switch (request.op) {
      case "ping":
        return { at: this.#options.now() };
      case "register":
        return this.#register(request.record, ip, now);
      case "unregister": {
        const record = state.recordOf(request.group);
        if (!record) return {};
        const text = unregisterText(request.group, request.version);
        if (!verifies(record.key, text, request.sig)) {
          throw new Refusal("bad_signature", "Cannot unregister: the signature does not verify");
        }
        if (state.unregister(request.group, request.version)) {
          logger.info(`LEAVE REQUEST FROM ${record.address}`);
        }
        return {};
      }
      case "list":
        logger.info(`GROUP LIST REQUEST FROM ${ip || "unknown"}`);
        return this.#list(request, ip, now);
      case "resolve": {
        const listing = state.resolve(request.group, now);
        if (listing) return { group: listing };
        throw new Refusal("not_found", "Cannot find that group: no group of that name is listed");
      }
      default:
        throw new Error(`Cannot answer ${JSON.stringify(request satisfies never)}`);
    }
  }

  #register(record: GroupRecord, ip: string, now: number): object | Promise<object> {
    const { state, keeper, logger } = this.#options;
    const date = this.#options.now();
    const outcome = state.register(record, ip, now, date);
    if (outcome !== "renewed") logger.info(`JOIN REQUEST FROM ${record.address}`);
    if (outcome === "taken") keeper.keep({ name: record.name, key: record.key, seen: date });
    return keeper.kept(record.name)?.then(() => ({})) ?? {};
  }

  #list(range: { prefix: string; after: string; limit: number }, ip: string, now: number) {
    const page = this.#options.state.list(range, now);
    this.#requests.charge(networkOf(ip), page.groups.length / GROUPS_A_REQUEST, now);
    return page;
  }

  /** The answer to a message in dialect 002, rubbish included, and whether it was a request. */
  answer002(
    frames: readonly Uint8Array[],
    ip: string,
    now: number,
  ): { readonly text: string; readonly good: boolean } {
    const wait = this.#requests.take(networkOf(ip), 1, now);
    const request = wait > 0 ? undefined : decodeRegistry002(frames);
    return request
      ? { text: this.#answer002(request, ip, now), good: true }
      : { text: FAILED, good: false };
  }

  #answer002(request: RegistryRequest002, ip: string, now: number): string {
    const { state, logger } = this.#options;
    if (request.op === "list") {
      logger.info(`GROUP LIST REQUEST FROM ${request.user}`);
      return encodeList002(this.#list({ prefix: "", after: "", limit: MAX_LIST }, ip, now).groups);
    }
    logger.info(`JOIN REQUEST FROM ${request.address}`);
    try {
      state.registerKeyless(request.name, request.address, ip, now);
      return REGISTERED;
    } catch {
      return FAILED;
    }
  }
}
