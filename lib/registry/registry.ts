/**
 * A registry: answers requests, which are plain values, by the rules of `operations.ts`. Owns the
 * state and what is kept of it; knows nothing of frames, sockets and sessions.
 */

import { Refusal } from "../errors.ts";
import type { NameStore } from "../store/name_store.ts";
import { Buckets } from "../structures/buckets.ts";
import type { Logger } from "../structures/logger.ts";
import { networkOf } from "../text/addresses.ts";
import { NEW_NAMES, REQUESTS } from "./bounds.ts";
import { Keeper } from "./keeper.ts";
import {
  type Op,
  type Operation,
  OPERATIONS,
  type Place,
  type Reply,
  type Request,
  type Time,
} from "./operations.ts";
import { type RegistryLimits, RegistryState } from "./state.ts";

export interface RegistryOptions {
  /** Keeps the names taken; closed with the registry. */
  readonly names: NameStore;
  readonly limits?: RegistryLimits;
  /** What one IP may ask, a second and at once; default {@linkcode REQUESTS}. */
  readonly requests?: { readonly rate: number; readonly burst: number };
  readonly logger: Required<Logger>;
  /** `HOST:PORT` that others reach it by, for sentences. */
  at(): string;
  /** A lease was taken: called to see whether others can connect there. */
  look?(place: Place): void;
  /** The date, ms since 1970. */
  readonly now: () => number;
}

/** A registry in this process. */
export class Registry {
  readonly state: RegistryState;
  readonly #options: RegistryOptions;
  readonly #keeper: Keeper;
  readonly #requests: Buckets;
  readonly #newNames = new Buckets(NEW_NAMES.rate, NEW_NAMES.burst);

  /** Restores what earlier runs kept. */
  constructor(options: RegistryOptions) {
    const { names, limits, requests: { rate, burst } = REQUESTS, logger } = options;
    this.#options = options;
    this.state = new RegistryState(limits);
    this.#keeper = new Keeper(this.state, names, (text) => logger.warn(text));
    this.#requests = new Buckets(rate, burst);
  }

  /**
   * Answers a request; one that takes a name when that is on disk.
   *
   * @throws {Refusal} `rate_limited`, or what the operation says
   */
  handle<K extends Op>(request: Request<K>): Promise<Reply<K>> {
    const { state } = this;
    const { logger } = this.#options;
    try {
      // One operation for one request: what TypeScript cannot follow over a union.
      const operation = OPERATIONS[request.op as K] as Operation<K>;
      const time = this.#time();
      if (!operation.isFree?.(state, request, time)) this.#charge(request, operation, time);
      if (operation.line) logger.debug(operation.line(request));
      const { reply, line, taken, name, cost, warning, place } = this.#answer(
        request,
        operation,
        time,
      );
      if (cost) this.#requests.charge(networkOf(request.ip), cost, time.clock);
      if (taken) this.#keeper.keep(taken);
      this.#keeper.keepPlaces();
      const kept = name === undefined ? undefined : this.#keeper.kept(name);
      const done = () => {
        if (line) logger.info(line);
        if (warning) logger.warn(warning(this.#options.at()));
        if (place) this.#options.look?.(place);
        return reply;
      };
      return kept
        ? kept.then(done, (error) => this.#refused(request, operation, error))
        : Promise.resolve(done());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #answer<K extends Op>(request: Request<K>, operation: Operation<K>, time: Time) {
    try {
      return operation.answer(this.state, request, time);
    } catch (error) {
      return this.#refused(request, operation, error);
    }
  }

  /** @throws what it was refused with */
  #refused<K extends Op>(request: Request<K>, { refused }: Operation<K>, error: unknown): never {
    if (refused && error instanceof Refusal) {
      this.#options.logger.info(`${refused(request)} refused: ${error.code}`);
    }
    throw error;
  }

  #time(): Time {
    const clock = performance.now(); // The date may jump, and no lease with it.
    return { clock, date: this.#options.now() };
  }

  /** @throws {Refusal} `rate_limited` */
  #charge<K extends Op>(request: Request<K>, { isNewName }: Operation<K>, { clock }: Time): void {
    const origin = networkOf(request.ip);
    let wait = this.#requests.take(origin, 1, clock);
    if (wait === 0 && isNewName?.(this.state, request)) {
      wait = this.#newNames.take(origin, 1, clock);
    }
    if (wait === 0) return;
    throw new Refusal("rate_limited", "Cannot serve the request: this IP asks too much", {
      retryAfter: wait,
    });
  }

  /** Does what is due: leases that ended, dates that moved, names that are free again. */
  tick(): void {
    const { clock, date } = this.#time();
    this.state.sweep(clock);
    this.#keeper.tick(clock, date);
  }

  /** Writes what waits. */
  close(): void {
    this.#keeper.close();
  }
}
