/** What waits to be sent, to one group or to all: told, sent, taken back. */

import { Refusal, UsageError } from "../errors.ts";
import { midTime } from "../identity/ids.ts";
import { isNamedMid, midOf } from "../identity/mids.ts";
import { MID_AHEAD } from "../protocol/limits.ts";
import type { StoredGroup, UserStore } from "../store/user_store.ts";
import { checkGiven } from "../text/given.ts";
import type { Connections, Parts } from "./connections.ts";
import type { KnownGroups } from "./groups.ts";
import type { Flushed, FlushOptions, Receipt, SendOptions, Unsent } from "./types.ts";

/** How long a send may stay unanswered before its caller is told, ms; it stays in the outbox. */
const SEND_WITHIN = 4_500;

/** One user's outbox. */
export class Outbox {
  readonly #groups: KnownGroups;
  readonly #connections: Connections;
  readonly #store: Pick<UserStore, "pending" | "since" | "untried" | "drop">;

  constructor(
    { groups, connections }: Pick<Parts, "groups" | "connections">,
    store: UserStore,
  ) {
    this.#groups = groups;
    this.#connections = connections;
    this.#store = store;
  }

  /** See `User.send`. */
  send(target: string, text: string, { within = SEND_WITHIN, mid }: SendOptions): Promise<Receipt> {
    try {
      const kinds = { text: "text", within: "number", "mid?": "text" } as const;
      checkGiven("Cannot send", { text, within, mid }, kinds);
      const named = mid === undefined ? undefined : checkedMid(mid);
      const { id } = this.#groups.member(target);
      return this.#connections.open(id).sender.send(text, within, named);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** See `User.unsent`. @throws {Refusal} `not_found` */
  unsent(target?: string): Unsent[] {
    return this.#asked(target).flatMap((group) => this.#of(group));
  }

  #asked(target: string | undefined): readonly StoredGroup[] {
    return target === undefined ? this.#groups.all : [this.#groups.known(target)];
  }

  #of({ id, name }: StoredGroup): Unsent[] {
    this.#connections.get(id)?.sender.keep();
    const [untried, since] = [this.#store.untried(id), this.#store.since(id)];
    return this.#store.pending(id).map(([mid, text]) => {
      const at = since.get(mid) ?? (isNamedMid(mid) ? undefined : midTime(mid));
      return { group: name, mid, text, ...(at !== undefined && { at }), tried: !untried.has(mid) };
    });
  }

  /** @throws {Refusal} `not_found` */
  unsend(target: string, typed: string): Unsent {
    const mid = midOf(typed) ?? typed;
    const group = this.#groups.known(target);
    const found = this.#of(group).find((one) => one.mid === mid);
    if (!found) {
      const message = `Cannot take back the message ${mid}: none of that id waits for ` +
        `"${group.name}"; what waits is what \`unsend\` shows`;
      throw new Refusal("not_found", message);
    }
    const { sender } = this.#connections.get(group.id) ?? {};
    if (sender) sender.drop(new Set([mid]));
    else this.#store.drop(group.id, [mid]);
    return found;
  }

  /** Of each group that something waited for, or of the one that was asked for. @throws {Refusal} `not_found` */
  async flush(target?: string, { within = SEND_WITHIN, signal }: FlushOptions = {}) {
    const groups = this.#asked(target)
      .filter(({ id }) => target !== undefined || this.#store.pending(id).length > 0);
    checkGiven("Cannot flush", { within }, { within: "number" });
    return await Promise.all(groups.map(async ({ id, name, joined }): Promise<Flushed> => {
      const { sender, link } = joined ? this.#connections.open(id) : {};
      const { sent, refused } = await sender?.flush(within, signal) ?? { sent: 0, refused: 0 };
      const waiting = this.#connections.waiting(id);
      const state = link?.state === "live" ? "it takes no more now" : "it does not answer";
      const why = joined ? sender?.problem ?? state : "you are not a member";
      return { group: name, sent, refused, waiting, ...(waiting > 0 && { reason: why }) };
    }));
  }
}

/** A caller's message id, as groups take it. @throws {UsageError} */
export function checkedMid(typed: string): string {
  const mid = midOf(typed);
  const cannot = `Cannot send under the id "${typed.slice(0, 64)}":`;
  if (mid === undefined) {
    throw new UsageError(`${cannot} expected a UUID, like 0199f2e4-7a10-7c3e-9b52-8d6f0a1b2c3d`);
  }
  if (midTime(mid) <= Date.now() + MID_AHEAD) return mid;
  const at = new Date(midTime(mid)).toISOString().slice(0, 10);
  throw new UsageError(
    `${cannot} a version 7 UUID begins with its time, and no group takes one of ${at}, more than a ` +
      "day ahead; make it with the right time, or take one of another version",
  );
}
