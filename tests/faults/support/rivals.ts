/**
 * Two at one log who both believe to hold it, and never ask: each appends as fast as it can until it
 * is refused, while the other one claims the lease.
 */

import { Fenced } from "../../../lib/errors.ts";
import { midMaker } from "../../../lib/identity/mids.ts";
import { type Log, type LogStart, requirePower, type Share } from "../../../lib/log/log.ts";
import { postgresLog } from "../../../lib/log/postgres.ts";
import { setTimeout } from "node:timers/promises";
import { heldIn, Ledger } from "./audit.ts";
import type { Fault } from "./fault.ts";

/** How long one appends before the other one claims, ms. */
const TURN = [0, 60] as const;
const AUTHOR = "00000000-0000-8000-8000-000000000001";

/** One of them. */
class Rival {
  readonly log: Log;
  readonly share: Share;
  readonly #ledger: Ledger;
  readonly #mid: () => string;
  /** Ends when it was refused. */
  appending: Promise<void> = Promise.resolve();

  constructor(log: Log, ledger: Ledger, mid: () => string) {
    this.log = log;
    this.share = requirePower(log, "share", "take turns");
    this.#ledger = ledger;
    this.#mid = mid;
  }

  /** Claims until it has the lease. */
  async claim(): Promise<LogStart> {
    for (;;) {
      const start = await this.share.claim(await this.share.lease(), "a rival");
      if (start) return start;
    }
  }

  /** @throws {Error} it was refused for another reason than that it is not the holder any more */
  async append({ head, at }: LogStart): Promise<void> {
    for (let seq = head + 1;; seq++) {
      const text = `entry ${seq} ${this.#mid()}`;
      const mid = this.#mid();
      const batch = { first: seq, count: 1, at: Math.max(at, Date.now()), author: AUTHOR };
      const json = JSON.stringify({ ...batch, kind: "message", messages: [[mid, text]] });
      this.#ledger.tried(text);
      try {
        await this.log.append(seq - 1, { batches: [{ ...batch, mids: [mid], json }] });
      } catch (error) {
        if (error instanceof Fenced) return;
        throw error;
      }
      this.#ledger.ack(mid, seq, text);
    }
  }
}

/** They take turns so many times; then what the log holds is what each was told. */
export async function rivals(fault: Fault, url: string, turns: number): Promise<void> {
  const ledger = new Ledger();
  const mid = midMaker();
  const open = () => {
    const log = postgresLog({ url, group: "Rivals" });
    fault.onClose(() => log.close());
    return log;
  };
  const both = [new Rival(open(), ledger, mid), new Rival(open(), ledger, mid)];
  for (let turn = 0; turn < turns; turn++) {
    const rival = both[turn % 2];
    await rival.appending;
    const { head } = ledger;
    const start = await rival.claim();
    fault.expect(start.head >= head, "who claimed the log does not see what was acknowledged");
    rival.appending = rival.append(start);
    rival.appending.catch(() => {}); // It is looked at in its next turn.
    fault.count("turns");
    await setTimeout(fault.random(...TURN));
  }
  const last = both[turns % 2];
  await last.appending;
  await last.claim();
  await Promise.all(both.map(({ appending }) => appending));
  const log = open();
  ledger.check(
    await heldIn(log, await requirePower(log, "share", "audit it").follow(), fault),
    fault,
  );
}
