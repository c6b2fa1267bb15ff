/** Which groups are away, told once they have been for a moment, and when they are back. */

import type { LinkState } from "../../user/types.ts";

/** A group that answers again within this time, ms, was not away: its connection was cut. */
const AWAY_AFTER = 700;

interface AbsencesOptions {
  /** A group that is none of the person's is none of its business. */
  isJoined(group: string): boolean;
  say(text: string): void;
  /** It was told that this one is away. */
  away(group: string): void;
}

export class Absences {
  readonly #options: AbsencesOptions;
  /** By name: a timer until it is told. */
  readonly #away = new Map<string, ReturnType<typeof setTimeout> | "told">();

  constructor(options: AbsencesOptions) {
    this.#options = options;
  }

  /** A group is in this state from now on. */
  take(group: string, state: LinkState): void {
    if (state === "connecting") return;
    const away = this.#away.get(group);
    if (state === "unreachable") {
      // The first contact of a join says itself how it went.
      if (away !== undefined || !this.#options.isJoined(group)) return;
      this.#away.set(group, setTimeout(() => this.#tell(group), AWAY_AFTER));
      return;
    }
    this.#away.delete(group);
    if (away !== "told") clearTimeout(away);
    else if (this.#options.isJoined(group)) this.#options.say(`${group} is back`);
  }

  #tell(group: string): void {
    if (!this.#options.isJoined(group)) return void this.#away.delete(group);
    this.#away.set(group, "told");
    this.#options.say(`${group} is unreachable; what you send waits for it`);
    this.#options.away(group);
  }

  close(): void {
    for (const away of this.#away.values()) if (away !== "told") clearTimeout(away);
    this.#away.clear();
  }
}
