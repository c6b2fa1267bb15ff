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

/** Who holds the log no more is refused within this, ms. */
const REFUSED_WITHIN = 10_000;
/** How long one appends before the other one claims, ms. */
const TURN = [0, 60] as const;
const AUTHOR = "00000000-0000-8000-8000-000000000001";

/** One of them. */
class Rival {
  readonly log: Log;
  readonly share: Share;
  readonly #fault: Fault;
  readonly #ledger: Ledger;
  readonly #mid: () => string;
  /** Ends when it was refused. */
  appending: Promise<void> = Promise.resolve();

  constructor(fault: Fault, log: Log, ledger: Ledger, mid: () => string) {
    this.#fault = fault;
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

  /** Until it is refused, because another one holds the log. */
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
        const why = `who held the log could not append: ${error}`;
        return this.#fault.expect(error instanceof Fenced, why);
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
  const both = [1, 2].map(() => new Rival(fault, open(), ledger, mid));
  const isRefused = async ({ appending }: Rival) => {
    const late = setTimeout(REFUSED_WITHIN, false, { ref: false });
    const refused = await Promise.race([appending.then(() => true), late]);
    fault.expect(refused, "who held the log appends on while another one holds it");
    return refused;
  };
  for (let turn = 0; turn < turns; turn++) {
    const rival = both[turn % 2];
    if (!await isRefused(rival)) return;
    const { head } = ledger;
    const start = await rival.claim();
    fault.expect(start.head >= head, "who claimed the log does not see what was acknowledged");
    rival.appending = rival.append(start);
    fault.count("turns");
    await setTimeout(fault.random(...TURN));
  }
  const [last, other] = turns % 2 === 0 ? both : both.toReversed();
  if (!await isRefused(last)) return;
  await last.claim();
  if (!await isRefused(other)) return;
  const log = open();
  ledger.check(
    await heldIn(log, await requirePower(log, "share", "audit it").follow(), fault),
    fault,
  );
}
