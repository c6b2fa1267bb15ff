/** What a server of a group is at a time: the holder, which decides, or a relay, which asks it. */

import { Refusal } from "../errors.ts";
import type { Operation } from "./operations.ts";
import type { Known, Op, Reply } from "./request.ts";

/** What a server's role answers for it. */
export interface Role {
  /**
   * Answers what changes the group, and what only the holder can answer; what it changed is seen
   * here by then.
   *
   * @throws {Refusal}
   */
  decide<K extends Op>(operation: Operation<K>, request: Known<K>): Promise<Reply<K>>;
  /**
   * Resolves when this server has all that anybody was told was accepted before; undefined: now.
   *
   * @throws {Refusal} `busy`, `unavailable`, at once or later
   */
  fresh(): Promise<void> | undefined;
  /** Whether the group can be here, as far as this server knows: else it falls silent. */
  readonly isHere: boolean;
  /** Finishes what was accepted; from then on nothing is. */
  close(): Promise<void>;
}

/** How long a server waits for another role before who asks is put off, ms. */
const WAIT = 1_500;

/** Between two roles: who asks waits for a moment. */
export class Between implements Role {
  readonly isHere = false;
  readonly #next: Promise<Role>;
  #become!: (role: Role) => void;

  constructor() {
    this.#next = new Promise((resolve) => (this.#become = resolve));
  }

  /** Whoever waits goes on with this role. */
  end(role: Role): void {
    this.#become(role);
  }

  async decide<K extends Op>(operation: Operation<K>, request: Known<K>): Promise<Reply<K>> {
    return await (await this.#wait()).decide(operation, request);
  }

  async fresh(): Promise<void> {
    await (await this.#wait()).fresh();
  }

  async close(): Promise<void> {}

  async #wait(): Promise<Role> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(noHolder()), WAIT);
    });
    try {
      return await Promise.race([this.#next, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** This server has lost its group, and others may not. */
export function outOfReach(cause?: unknown): Refusal {
  const message = "Cannot serve that: this server does not reach its group now, ask another one";
  return new Refusal("unavailable", message, { retryAfter: 250, cause });
}

/** Nobody decides now, which goes by. */
export function noHolder(cause?: unknown): Refusal {
  const message = "Cannot serve that now: the group's servers are changing over, try again";
  return new Refusal("busy", message, { retryAfter: 250, cause });
}
