/**
 * How far one history was shown, and whether what comes next goes on from there. Pure.
 *
 * The log answers over the session that the group proved itself in; what comes live is sealed with
 * a key that all members have. So the live end counts until the group says otherwise: then the log is
 * read again, from the last place that it vouched for, and what it holds is what counts.
 */

import type { Batch } from "../protocol/batch.ts";
import { BEGINNING, type Checkpoint, checkpointOf, endOf, follows } from "../protocol/chain.ts";
import type { Proof } from "../store/user_store.ts";

/** What to do with a batch, or after the word of a group. */
export type Verdict =
  /** It goes on from what was shown. */
  | "take"
  /** Nothing new. */
  | "pass"
  /** Read the log from {@linkcode Trail.from} on: it decides. */
  | "read"
  /** What was shown after {@linkcode Trail.cursor} is not in the log: it comes again, as it is there. */
  | "correct"
  /** The group contradicts itself: nothing is verified from here on. */
  | "forked";

/** Where one follower stands in one epoch. */
export class Trail {
  /** Highest seq that was shown. */
  cursor: number;
  /** Highest seq that is known to have been there. */
  known: number;
  /** The group contradicted itself. */
  broken = false;
  /** End of a batch that the group itself vouched for: in its log, or by its hash. */
  #base: Checkpoint | undefined;
  /** End of the last batch that was checked, which may have come live. */
  #tip: Checkpoint | undefined;
  /** A former tip that the log is read again for. */
  #doubt: Checkpoint | undefined;
  /** What the group said of a place that was not reached yet. */
  #claim: Checkpoint | undefined;
  /** The cursor may lie within a batch, which then comes without its hash, once. */
  #mayBeCut = true;

  /**
   * @param known is `cursor` of this epoch for sure
   * @param proof of a place at or below `cursor`
   */
  constructor(cursor: number, known: boolean, { base, tip }: Proof = {}) {
    this.cursor = cursor;
    this.known = known ? cursor : 0;
    this.#base = this.#tip = base;
    if (base && tip && tip.seq > base.seq) this.#doubt = tip;
  }

  /** The log is read after this seq: the cursor, or before it. */
  get from(): number {
    return this.#tip?.seq ?? this.cursor;
  }

  /** What proves later that the log goes on from the cursor. */
  get proof(): Proof {
    return { base: this.#base, tip: this.#tip };
  }

  /** There is more to read: what was shown is not compared with the log yet. */
  get doubting(): boolean {
    return this.#doubt !== undefined;
  }

  /** The next batch of the log. It is not behind a gap: see {@linkcode skip}. */
  logged(batch: Batch): Verdict {
    const end = endOf(batch);
    const cut = this.#mayBeCut;
    this.#mayBeCut = false;
    if (end <= this.from) return "pass";
    if (this.broken) return "take";
    if (!this.#tip) {
      if (batch.hash === undefined) return cut ? "take" : this.#fork();
      if (batch.first === 1 && !follows(BEGINNING, batch)) return this.#fork();
    } else if (!follows(this.#tip, batch)) return this.#contradicted();
    this.#tip = checkpointOf(batch);
    const doubt = this.#doubt;
    if (doubt && end >= doubt.seq) {
      if (end !== doubt.seq || batch.hash !== doubt.hash) return this.#correct();
      this.#doubt = undefined;
    }
    if (!this.#doubt) this.#base = this.#tip;
    return this.#reached() ?? (end > this.cursor ? "take" : "pass");
  }

  /** The next batch of the live feed. */
  live(batch: Batch): Verdict {
    const end = endOf(batch);
    if (end < this.from) return "pass";
    if (batch.first > this.from + 1 || !this.#tip) {
      if (end <= this.cursor) return "pass";
      return this.broken && batch.first <= this.cursor + 1 ? "take" : "read";
    }
    if (batch.first <= this.#tip.seq) {
      // What the group vouched for stays, whatever comes live.
      const known = end === this.#tip.seq && batch.hash === this.#tip.hash;
      return known || this.#tip === this.#base ? "pass" : this.#contradicted();
    }
    if (!follows(this.#tip, batch)) return "read";
    this.#tip = checkpointOf(batch);
    return this.#reached() ?? (end > this.cursor ? "take" : "pass");
  }

  /** The group says what the hash of its history is. */
  vouched(claim: Checkpoint): Verdict {
    if (this.broken) return "pass";
    if (!this.#tip) {
      if (claim.seq !== this.cursor) return "pass";
      this.#base = this.#tip = claim;
      this.shown(claim.seq);
      return "pass";
    }
    if (claim.seq < this.#tip.seq) return "read";
    this.#claim = claim;
    return this.#reached() ?? "pass";
  }

  /** Entries up to `seq` are shown. */
  shown(seq: number): void {
    this.cursor = Math.max(this.cursor, seq);
    this.known = Math.max(this.known, seq);
  }

  /** What lies up to `seq` is not kept any more: what comes next cannot be compared with it. */
  skip(seq: number): void {
    if (seq <= this.from) return;
    this.cursor = Math.max(this.cursor, seq);
    this.#base = this.#tip = this.#doubt = undefined;
    this.#mayBeCut = true;
  }

  /** The group ends at `head`, before {@linkcode known}: what it vouched for comes again, if it is there. */
  putBack(head: number): void {
    this.known = head;
    this.#claim = undefined;
    if (this.#base && this.#base.seq <= head) {
      this.#correct();
      return;
    }
    this.cursor = Math.min(this.cursor, head);
    this.#fork();
  }

  /** Compares with what the group said of this place. */
  #reached(): Verdict | undefined {
    if (!this.#claim || this.#claim.seq > this.from) return undefined;
    const { seq, hash } = this.#claim;
    if (seq === this.from && hash !== this.#tip!.hash) return this.#contradicted();
    this.#claim = undefined;
    if (seq === this.from && !this.#doubt) this.#base = this.#tip;
    return undefined;
  }

  /** Something does not fit the tip: where that came live, and not from the log, the log decides. */
  #contradicted(): Verdict {
    if (this.#tip === this.#base || this.#doubt) return this.#fork();
    this.#doubt = this.#tip;
    this.#tip = this.#base;
    return "read";
  }

  #correct(): Verdict {
    this.#tip = this.#base;
    this.#doubt = undefined;
    this.cursor = this.known = this.#base!.seq;
    return "correct";
  }

  #fork(): Verdict {
    this.broken = true;
    this.#base =
      this.#tip =
      this.#doubt =
      this.#claim =
        undefined;
    return "forked";
  }
}
