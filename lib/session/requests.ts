/** Requests of a client that wait: for a session, or for their answer. Each for a bounded time. */

import { Deadline } from "./deadline.ts";

export interface Request {
  readonly id: number;
  /** Absent for who waits for a session alone. */
  readonly op?: string;
  readonly fields: object;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** See the head of this file. */
export class Requests {
  readonly #asked = new Map<number, Request>();
  readonly #unasked = new Map<number, Request>();
  readonly #deadlines = new Map<number, Deadline>();

  get size(): number {
    return this.#deadlines.size;
  }

  /** How many wait for an answer. */
  get asked(): number {
    return this.#asked.size;
  }

  /** Adds one that waits for a session; after `timeout` ms it is rejected with `late()`. */
  add(request: Request, timeout: number, late: () => Error): void {
    this.#unasked.set(request.id, request);
    const end = () => this.take(request.id)?.reject(late());
    this.#deadlines.set(request.id, new Deadline(end, timeout));
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
    this.#deadlines.get(id)?.clear();
    this.#deadlines.delete(id);
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
