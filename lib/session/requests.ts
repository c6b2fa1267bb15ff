/** Requests of a client that wait: for a session, or for their answer. Each for a bounded time. */

export interface Request {
  readonly id: number;
  /** Absent for who waits for a session alone. */
  readonly op?: string;
  readonly fields: object;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Longest time-out that a timer takes, ms. */
const MAX_TIMEOUT = 2_147_483_647;

/** See the head of this file. */
export class Requests {
  readonly #asked = new Map<number, Request>();
  readonly #unasked = new Map<number, Request>();
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  get size(): number {
    return this.#timers.size;
  }

  /** How many wait for an answer. */
  get asked(): number {
    return this.#asked.size;
  }

  /** Adds one that waits for a session; after `timeout` ms it is rejected with `late()`. */
  add(request: Request, timeout: number, late: () => Error): void {
    this.#unasked.set(request.id, request);
    const end = () => this.take(request.id)?.reject(late());
    this.#timers.set(request.id, setTimeout(end, Math.min(timeout, MAX_TIMEOUT)));
  }

  /** It is on its way. */
  sent(request: Request): void {
    if (this.#unasked.delete(request.id)) this.#asked.set(request.id, request);
  }

  /** Those that wait for a session, oldest first. */
  unasked(): Request[] {
    return [...this.#unasked.values()];
  }

  /** One that waits, which from then on does not. */
  take(id: number): Request | undefined {
    const request = this.#asked.get(id) ?? this.#unasked.get(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#asked.delete(id);
    this.#unasked.delete(id);
    return request;
  }

  /** Rejects all that wait for an answer. */
  rejectAsked(error: Error): void {
    for (const id of [...this.#asked.keys()]) this.take(id)?.reject(error);
  }

  /** Rejects all that wait for a session. */
  rejectUnasked(error: unknown): void {
    for (const id of [...this.#unasked.keys()]) this.take(id)?.reject(error);
  }
}
