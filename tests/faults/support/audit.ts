/** What was promised, held against what a log holds: the invariants of every fault test. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Log, type LogStart, requirePower } from "../../../lib/log/log.ts";
import { sqliteLog } from "../../../lib/log/sqlite.ts";
import type { Batch } from "../../../lib/protocol/batch.ts";
import { keptLog } from "../../../lib/run/group_folder.ts";
import type { Fault } from "./fault.ts";

/** A message as the log holds it. */
export interface Held {
  readonly seq: number;
  readonly at: number;
  readonly mid: string;
  readonly text: string;
}

/** What senders were told. Texts are unique, so that a text stands for one message. */
export class Ledger {
  readonly #acked = new Map<string, { seq: number | undefined; text: string }>();
  readonly #tried = new Set<string>();
  readonly #waiting = new Set<string>();
  readonly #kept = new Set<string>();
  /** Highest seq acknowledged. */
  head = 0;

  get acked(): number {
    return this.#acked.size;
  }

  tried(text: string): void {
    this.#tried.add(text);
    this.#waiting.add(text);
  }

  /** The text is in an outbox on disk: it goes out sooner or later. */
  kept(text: string): void {
    this.#kept.add(text);
  }

  /** Texts that were tried and are not acknowledged. */
  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  /** Whether a text that was tried is acknowledged. */
  has(text: string): boolean {
    return !this.#waiting.has(text);
  }

  /** @param seq undefined where only the acknowledgement is known */
  ack(mid: string, seq: number | undefined, text: string): void {
    this.#waiting.delete(text);
    this.head = Math.max(this.head, seq ?? 0);
    const known = this.#acked.get(mid);
    this.#acked.set(mid, { seq: seq ?? known?.seq, text });
  }

  /** Forgets what was acknowledged above `head`, which a restored copy does not have; what is left. */
  keepUpTo(head: number): number {
    for (const [mid, { seq }] of this.#acked) if (seq! > head) this.#acked.delete(mid);
    return this.#acked.size;
  }

  /** Holds the log against what was promised; what it finds becomes figures and violations. */
  check(held: readonly Held[], fault: Fault): void {
    const byMid = new Map<string, Held>();
    const texts = new Set<string>();
    let duplicated = 0;
    let invented = 0;
    for (const one of held) {
      if (byMid.has(one.mid) || texts.has(one.text)) duplicated++;
      if (!this.#tried.has(one.text)) invented++;
      byMid.set(one.mid, one);
      texts.add(one.text);
    }
    let lost = 0;
    let changed = 0;
    for (const [mid, { seq, text }] of this.#acked) {
      const found = byMid.get(mid);
      if (!found) lost++;
      else if (found.seq !== (seq ?? found.seq) || found.text !== text) changed++;
    }
    const unsent = [...this.#kept].filter((text) => !texts.has(text)).length;
    fault.expect(unsent === 0, `unsent: ${unsent} messages of an outbox`);
    const found = { acked: this.#acked.size, lost, duplicated, changed, invented };
    for (const [name, value] of Object.entries(found)) {
      fault.count(name, value);
      if (name !== "acked") fault.expect(value === 0, `${name}: ${value} messages`);
    }
  }
}

/** All that the log of a stopped group holds, as a start would open it, and whole. @throws {LogDamaged} */
export async function heldBy(folder: string, fault: Fault): Promise<Held[]> {
  const group = ["group.json", "log.db"].every((file) => existsSync(join(folder, file)));
  const log = group ? keptLog(folder) : sqliteLog(folder);
  try {
    return await heldIn(log, await log.open(), fault);
  } finally {
    await log.close();
  }
}

/** All that an open log holds, and whole. @throws {LogDamaged} */
export async function heldIn(log: Log, { head }: LogStart, fault: Fault): Promise<Held[]> {
  await requirePower(log, "verify", "audit the log")();
  const held: Held[] = [];
  let next = 1;
  let time = 0;
  while (next <= head) {
    for (const { json } of await log.read({ after: next - 1, limit: 10_000 })) {
      const { first, count, at, messages } = JSON.parse(json) as Batch;
      fault.expect(first === next, `a gap in seq: ${first} follows ${next - 1}`);
      fault.expect(at >= time, `the time goes back at ${first}`);
      next = first + count;
      time = at;
      for (const [i, [mid, text]] of (messages ?? []).entries()) {
        held.push({ seq: first + i, at, mid, text });
      }
    }
  }
  return held;
}
