/** What a group takes, and what it did to its peers, in each of its lives. */

import { usage } from "../../support/usage.ts";
import type { Fault } from "./fault.ts";
import type { AccountsTold, GroupProcess } from "./servers.ts";

const MIB = 1_048_576;
/** What the group's peers may hold together, bytes. */
export const LIMIT = 64 * MIB;
/** What the group may take beside them, and for each member, MB. */
const BESIDE = 100;
const MEMBER = 0.025;
/** Room for what is being added when the bound is reached, bytes. */
const ONE_MORE = 2 * MIB;
/** What happens to peers that were let in, and never to one that behaves. */
const BEHAVED = [
  "cut: silent",
  "cut: does not read",
  "cut: takes no more",
  "cut: holds most of all",
  "cut: requests do not end",
  "cut: sends on and on",
  "cut: a sealed packet that does not open",
  "cut: its request failed here",
  "cut: a listener failed",
];

/** See the head of this file. */
export class Watch {
  readonly #fault: Fault;
  readonly #group: GroupProcess;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #members: number;
  /** Resident at most, and in use once all garbage was gone, MB. */
  #most = 0;
  #kept = 0;
  #ended = false;

  constructor(fault: Fault, group: GroupProcess, members: number) {
    this.#members = members;
    this.#fault = fault;
    this.#group = group;
    this.#timer = setInterval(() => {
      this.#most = Math.max(this.#most, usage(group.child.pid).memory);
    }, 500);
    fault.onClose(() => this.end());
  }

  /** Before the end of a life. */
  async look(): Promise<AccountsTold> {
    const told = await this.#group.accounts((line) =>
      this.#fault.expect(!line.includes("failed"), `the group says: ${line}`)
    );
    for (const [what, times] of Object.entries(told.counts)) {
      if (BEHAVED.includes(what)) this.#fault.expect(false, `members were ${what}: ${times}`);
      if (what.startsWith("cut: not admitted")) this.#fault.count("not_admitted", times);
      if (what.startsWith("dropped")) this.#fault.count("dropped", times);
    }
    this.#fault.expect(told.most <= LIMIT + ONE_MORE, `peers held ${told.most} bytes`);
    this.#kept = Math.max(this.#kept, (await this.#group.child.memory()).all);
    return told;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    const bound = BESIDE + LIMIT / MIB + MEMBER * this.#members;
    this.#fault.figure("group_mb_resident", this.#most);
    this.#fault.figure("group_mb_kept", this.#kept);
    // What the engine takes before it collects garbage is told alone.
    this.#fault.bound(this.#kept <= bound, `the group kept ${Math.round(this.#kept)} MB`);
  }
}
