/**
 * Keeps the state's names on disk, and where groups without a key are; what could not be kept is
 * taken back in the state.
 */

import { Refusal, sentence } from "../errors.ts";
import type { NameStore, TakenName } from "../store/name_store.ts";
import type { RegistryState } from "./state.ts";

/** Writes down what the state takes. */
export class Keeper {
  readonly #state: RegistryState;
  readonly #names: NameStore;
  readonly #warn: (text: string) => void;
  readonly #keeping = new Map<string, Promise<void>>();
  #failing = false;

  /** Restores what earlier runs kept. */
  constructor(state: RegistryState, names: NameStore, warn: (text: string) => void) {
    this.#state = state;
    this.#names = names;
    this.#warn = warn;
    for (const taken of names.all()) state.restore(taken);
    state.restorePlaces(names.places());
  }

  /** A name was taken: it is on its way to the disk. */
  keep(taken: TakenName): void {
    this.#keep(taken.name, () => this.#names.add(taken));
  }

  /** So are the leases without a key that a request moved. */
  keepPlaces(): void {
    const { begun, ended } = this.#state.movedPlaces();
    if (ended.length > 0) void this.#write(() => this.#names.dropPlaces(ended));
    for (const place of begun) this.#keep(place.name, () => this.#names.keepPlace(place));
  }

  /**
   * Resolves when a name is on disk; undefined when it is. Rejects with {@linkcode Refusal} when it
   * could not be written; nobody has the name then.
   */
  kept(name: string): Promise<void> | undefined {
    return this.#keeping.get(name);
  }

  #keep(name: string, work: () => Promise<void>): void {
    const kept = this.#written(name, work).finally(() => {
      if (this.#keeping.get(name) === kept) this.#keeping.delete(name);
    });
    this.#keeping.set(name, kept);
  }

  async #written(name: string, work: () => Promise<void>): Promise<void> {
    if (await this.#write(work)) return;
    this.#state.release(name);
    throw new Refusal("busy", `Cannot register "${name}": the registry cannot write it down now`, {
      retryAfter: 5_000,
    });
  }

  /** Writes what is due: dates that moved, names that are free again. */
  tick(now: number, date: number): void {
    const freed = this.#state.freeNames(now, date);
    if (freed.length > 0) void this.#write(() => this.#names.free(freed));
    const moved = this.#state.movedNames();
    if (moved.length > 0) void this.#write(() => this.#names.see(moved));
  }

  /** True if it was written. Told once when it begins to fail, and once when it works again. */
  async #write(work: () => Promise<void>): Promise<boolean> {
    let problem: unknown;
    try {
      await work();
    } catch (error) {
      problem = error;
    }
    if (Boolean(problem) !== this.#failing) {
      const { cause } = (problem ?? {}) as Error;
      const why = cause === undefined ? "" : ` (${sentence(cause)})`;
      this.#warn(problem ? `${sentence(problem)}${why}` : "Names are kept again");
    }
    this.#failing = problem !== undefined;
    return !this.#failing;
  }

  close(): void {
    this.#names.close();
  }
}
