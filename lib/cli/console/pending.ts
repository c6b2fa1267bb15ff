/** Messages that were sent and are not in the group's log yet. Pure. */

import { safeLine } from "../../text/filter.ts";

/** Most of them that are shown. */
const SHOWN = 4;

export interface PendingMessage {
  readonly group: string;
  readonly name: string;
  readonly text: string;
  /** Absent until the message is kept on this disk. */
  mid?: string;
}

export class Pending {
  #items: PendingMessage[] = [];

  add(group: string, name: string, text: string): PendingMessage {
    const item = { group, name, text };
    this.#items.push(item);
    return item;
  }

  /** Its id is known before the group answers. */
  queued(name: string, mid: string, text: string): void {
    const item = this.#items.find((item) =>
      item.name === name && item.mid === undefined && item.text === text
    );
    if (item) item.mid = mid;
  }

  /** Takes off all that are of this kind; false when there was none. */
  drop(which: (item: PendingMessage) => boolean): boolean {
    const before = this.#items.length;
    this.#items = this.#items.filter((item) => !which(item));
    return this.#items.length < before;
  }

  /** An own entry is shown now. It may come before the receipt, so the text names it, too. */
  arrived(group: string, entry: { readonly mid?: string; readonly text?: string }): void {
    const shown = this.#items.find((item) =>
      item.group === group &&
      (item.mid === undefined ? item.text === entry.text : item.mid === entry.mid)
    );
    this.drop((item) => item === shown);
  }

  /** One line each, `…` before it. */
  lines(): string[] {
    const lines = this.#items.slice(0, SHOWN).map(({ name, text }) =>
      `… ${safeLine(name)}: ${safeLine(text.replaceAll("\n", " / "))}`
    );
    const more = this.#items.length - lines.length;
    return more > 0 ? [...lines, `… and ${more} more`] : lines;
  }
}
