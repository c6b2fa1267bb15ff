/** The server that decides: it takes what is asked to the writer, by the rows of the table. */

import { Refusal } from "../errors.ts";
import type { Decision } from "./decide/decision.ts";
import type { Limits } from "./limits.ts";
import { type Operation, permit } from "./operations.ts";
import type { Query, View } from "./queries.ts";
import type { Known, Op, Reply } from "./request.ts";
import { outOfReach, type Role } from "./role.ts";
import type { GroupState } from "./state.ts";
import { type Job, Writer, type WriterOptions } from "./writer.ts";

export interface HolderOptions extends WriterOptions {
  readonly view: View;
  readonly limits: Limits;
  /** Whether nobody else can decide now; a group with one server always may. */
  holds(): boolean;
}

/** What a job takes of the writer's bounds at least, bytes. */
const LEAST = 512;

/** Decides, appends, answers. */
export class Holder implements Role {
  readonly #options: HolderOptions;
  readonly #writer: Writer;

  constructor(options: HolderOptions) {
    this.#options = options;
    this.#writer = new Writer(options);
  }

  get isHere(): boolean {
    return this.#options.holds();
  }

  fresh(): undefined {
    if (!this.#options.holds()) throw outOfReach();
  }

  decide<K extends Op>(operation: Operation<K>, request: Known<K>): Promise<Reply<K>> {
    this.fresh();
    if (!("decide" in operation)) return this.#answer(operation.query, operation, request);
    const { view, limits } = this.#options;
    const { suspects } = operation;
    const author = request.actor.user;
    const messages = suspects && {
      author,
      suspects: (state: GroupState) => suspects(state, request),
      lookUp: () => limits.lookUp(author, view.now()),
      lookedUp: (ms: number) => limits.lookedUp(author, ms, view.now()),
    };
    return this.#writer.submit<Reply<K>>({
      size: Math.max(LEAST, request.size),
      ...(messages ? { messages } : {}),
      decide: (state, seen, now): Decision<Reply<K>> => {
        permit(state, request, operation);
        try {
          return operation.decide(state, request, seen, now);
        } catch (error) {
          limits.refused(error, now);
          throw error;
        }
      },
    });
  }

  async #answer<K extends Op>(
    query: Query<K>,
    operation: Operation<K>,
    request: Known<K>,
  ): Promise<Reply<K>> {
    const { view } = this.#options;
    permit(view.state, request, operation);
    return await query(view, request);
  }

  /** Decides what nobody asked for. @throws {Refusal} `disk_full`, `stopping`, `busy` */
  submit(decide: Job<void>["decide"]): Promise<void> {
    return this.#writer.submit({ size: LEAST, decide });
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}

/** True of a refusal because the disk is full. */
export function isFull(error: unknown): boolean {
  return error instanceof Refusal && error.code === "disk_full";
}
