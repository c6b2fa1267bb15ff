/** A list in the order in which its entries were touched last. Each step costs the same. Pure. */

/** One value in the list. */
export interface Entry<T> {
  readonly value: T;
  older: Entry<T> | undefined;
  newer: Entry<T> | undefined;
}

/** A list by recency. */
export class Recency<T> {
  #oldest: Entry<T> | undefined;
  #newest: Entry<T> | undefined;

  get oldest(): T | undefined {
    return this.#oldest?.value;
  }

  get newest(): T | undefined {
    return this.#newest?.value;
  }

  /** As the newest. */
  add(value: T): Entry<T> {
    const entry: Entry<T> = { value, older: undefined, newer: undefined };
    this.#append(entry);
    return entry;
  }

  /** An entry of this list becomes the newest. */
  touch(entry: Entry<T>): void {
    if (entry === this.#newest) return;
    this.delete(entry);
    this.#append(entry);
  }

  #append(entry: Entry<T>): void {
    entry.older = this.#newest;
    if (this.#newest) this.#newest.newer = entry;
    else this.#oldest = entry;
    this.#newest = entry;
  }

  /** Takes an entry of this list out. */
  delete(entry: Entry<T>): void {
    const { older, newer } = entry;
    if (older) older.newer = newer;
    else this.#oldest = newer;
    if (newer) newer.older = older;
    else this.#newest = older;
    entry.older = entry.newer = undefined;
  }
}
