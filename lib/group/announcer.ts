/**
 * Keeps a group's lease with each of its registries, once a second, and takes it back at the end.
 *
 * What a registry says (its clock, which version it saw, that the name is taken) counts for that
 * registry alone: one that lies hurts nobody at the others.
 */

import { RECORD_LIFE, RENEW_EVERY } from "../protocol/limits.ts";
import type { RegistryAddress } from "../text/addresses.ts";
import { signRecord } from "../protocol/record.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import { Lease, type LeaseOptions } from "./lease.ts";

export interface AnnouncerOptions extends Omit<LeaseOptions, "registry" | "record"> {
  readonly registries: readonly RegistryAddress[];
}

/** The leases of one group. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #leases: readonly Lease[];
  #record: GroupRecord | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    const record = () => this.record();
    this.#leases = options.registries.map((registry) =>
      new Lease({ ...options, registry, record })
    );
  }

  /** The group's record by its own clock, good for half an hour at least; also without registries. */
  record(): GroupRecord {
    const { announcement, key, now } = this.#options;
    const time = now();
    const old = this.#record;
    const left = old ? old.expires - time : 0;
    if (old && left > RECORD_LIFE / 2 && left <= RECORD_LIFE) return old;
    // By the date, also when it went back: a version ahead of it is believed by nobody.
    return this.#record = signRecord(
      { ...announcement, version: time, expires: time + RECORD_LIFE },
      key,
    );
  }

  /**
   * Registers with all and goes on renewing. Resolves when each registry answered or did not
   * within 1.5 s; one that is away is tried again every second.
   *
   * @throws {Refusal} `name_taken` when each registry gave the name to another key
   */
  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      for (const lease of this.#leases) void lease.renew();
    }, RENEW_EVERY);
    const taken = await Promise.all(this.#leases.map((lease) => lease.renew()));
    const [first] = taken;
    if (first && taken.every(Boolean)) throw first;
  }

  /** Stops renewing and takes the leases back, within half a second. */
  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.#closing ??= Promise.all(this.#leases.map((lease) => lease.close())).then(() => {});
  }
}
