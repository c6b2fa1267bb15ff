/** Every statement about groups, and the rows they answer. */

import { HASH_UNITS } from "./chain.ts";
import { CHECKED } from "./postgres_check.ts";
import type { BatchRow, SpanRow } from "./stored_rows.ts";

/** The row that each commit of a group changes. */
export interface LogRow {
  readonly term: number;
  readonly turn: number;
  readonly holder: string | null;
  /** Commits that there were. */
  readonly edit: number;
  readonly head: number;
  readonly hash: Uint8Array;
  readonly tail: number;
  readonly sum: number;
  /** The place where the group is kept instead. */
  readonly moved: string | null;
}

/** A row of a page; without `first` where the page is empty. */
export interface PageRow extends Omit<BatchRow, "first"> {
  readonly first: number | null;
  /** Of the log, at the moment of the page. */
  readonly head: number;
  readonly tail: number;
  /** Bytes ended the page, and not its range. */
  readonly cut: boolean;
  /** The one before the page, without its JSON. */
  readonly previous: boolean;
  readonly lo: Uint8Array | null;
  readonly hi: Uint8Array | null;
  readonly author: string;
}

/** A batch whose mids may be those that are looked for. */
export interface NearRow extends SpanRow {
  readonly at: number;
  /** There are more near them than are looked through. */
  readonly crowded: boolean;
}

/** Between texts that are joined to one parameter: JSON has it in no string. */
export const SEPARATOR = "\x1e";
const split = (parameter: string) => `string_to_array(${parameter}, E'\\x1e')`;

const LOG = "term, turn, holder, edit, head, hash, tail, sum, moved";
const OWN = "grp = $1";

/**
 * A page of batches whose first seq lies in a span, with the one before: as many as begin within so
 * many bytes (`$2`), at least one where there is one.
 */
function page(span: string, order: "ASC" | "DESC"): string {
  return `WITH log AS (SELECT head, tail FROM zgroup.log WHERE ${OWN}), span AS (${span}),
    found AS (
      SELECT batch.*, sum(coalesce(octet_length(json), 0) + ${HASH_UNITS}) OVER (
        ORDER BY first ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS passed
      FROM zgroup.batch, span WHERE ${OWN} AND first BETWEEN low AND high
    ), taken AS (SELECT * FROM found WHERE coalesce(passed, 0) <= $2::bigint),
    rows AS (
      (SELECT true AS previous, first, count, at, hash, crcs, NULL AS mids, NULL AS json,
        NULL AS lo, NULL AS hi, author
        FROM zgroup.batch WHERE ${OWN} AND first < (SELECT min(first) FROM taken)
        ORDER BY first DESC LIMIT 1)
      UNION ALL
      SELECT false, first, count, at, hash, crcs, mids, json, lo, hi, author FROM taken
    )
    SELECT log.head, log.tail, rows.*,
      (SELECT count(*) FROM found) > (SELECT count(*) FROM taken) AS cut
    FROM log LEFT JOIN rows ON true ORDER BY first`;
}

const HOLDING = (seq: string) =>
  `(SELECT first FROM zgroup.batch WHERE ${OWN} AND first <= ${seq} ORDER BY first DESC LIMIT 1)`;
const SINCE = (at: string) =>
  `(SELECT first FROM zgroup.batch WHERE ${OWN} AND at >= ${at} ORDER BY at, first LIMIT 1)`;
const UNTIL = (at: string) =>
  `(SELECT first FROM zgroup.batch WHERE ${OWN} AND at <= ${at} ORDER BY at DESC, first DESC LIMIT 1)`;

/** `$3` after, `$4` before, `$5` since, `$6` until, `$7` limit; all but the first and last may be null. */
const RANGE = `SELECT greatest(tail, coalesce(${HOLDING("$3::bigint + 1")}, 1),
    CASE WHEN $5::bigint IS NULL THEN 1 ELSE coalesce(${SINCE("$5")}, head + 1) END) AS low,
  least(head, $4::bigint - 1,
    CASE WHEN $6::bigint IS NULL THEN head ELSE coalesce(${UNTIL("$6")}, 0) END) AS high
  FROM log`;

/** No more than can be needed: each batch has at least one entry. */
const OLDEST = `SELECT low, least(high, greatest(low, $3 + 1) + $7::bigint - 1) AS high
  FROM (${RANGE}) AS range`;
const NEWEST = `SELECT high, greatest(low, ${HOLDING("top - $7::bigint + 1")}) AS low FROM (
    SELECT low, high, (SELECT least(first + count - 1, $4::bigint - 1) FROM zgroup.batch
      WHERE ${OWN} AND first = ${HOLDING("high")}) AS top
    FROM (${RANGE}) AS range
  ) AS range`;

/** Whose commit it is, and after which: `$2` term, `$3` edit, `$4` the mark of the connection. */
const FENCE = `${OWN} AND term = $2 AND edit = $3 AND ${CHECKED} = $4`;

/** `$5` head before, `$6` head and `$7` hash after, `$8` sum; `$9` to `$17` the batches' columns. */
const ADD = `WITH fence AS (
    UPDATE zgroup.log SET edit = edit + 1, head = $6, hash = $7, sum = $8
    WHERE ${FENCE} AND head = $5 RETURNING grp
  ), batches AS (
    INSERT INTO zgroup.batch (grp, first, count, at, author, lo, hi, hash, crcs, json)
    SELECT grp, first, count, at, author, decode(lo, 'hex'), decode(hi, 'hex'),
      decode(hash, 'hex'), decode(crcs, 'hex'), json
    FROM fence, unnest($9::bigint[], $10::int[], $11::bigint[], ${split("$12")}, $13::text[],
      $14::text[], $15::text[], $16::text[], ${split("$17")})
      AS batch (first, count, at, author, lo, hi, hash, crcs, json)
  )`;

/** Rows of `member` or `value` that are set, and those that go. */
const put = (name: string, table: string, from: number) =>
  `, ${name} AS (
    INSERT INTO zgroup.${table} (grp, name, json, crc)
    SELECT grp, name, json, crc
    FROM fence, unnest($${from}::text[], $${from + 1}::text[], $${from + 2}::bigint[])
      AS row (name, json, crc)
    ON CONFLICT (grp, name) DO UPDATE SET json = excluded.json, crc = excluded.crc
  ), no_${name} AS (
    DELETE FROM zgroup.${table} USING fence
    WHERE ${table}.grp = fence.grp AND name = ANY ($${from + 3}::text[])
  )`;

/** About a group by its name, `$1`. */
export const GROUPS = {
  find: "SELECT id, epoch FROM zgroup.grp WHERE name = $1",
  // `$2` epoch, `$3` hash, `$4` sum of an empty log.
  make: `WITH made AS (
      INSERT INTO zgroup.grp (name, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id
    ) INSERT INTO zgroup.log (grp, hash, sum) SELECT id, $3, $4 FROM made`,
  identity: `SELECT group_id AS id, identity AS text FROM zgroup.grp
    WHERE name = $1 AND identity IS NOT NULL`,
  // `$2` id, `$3` text.
  identify: `UPDATE zgroup.grp SET group_id = $2, identity = $3
    WHERE name = $1 AND identity IS NULL`,
  names: "SELECT name FROM zgroup.grp ORDER BY name",
  remove: `WITH gone AS (SELECT id FROM zgroup.grp WHERE name = $1),
    log AS (DELETE FROM zgroup.log USING gone WHERE grp = id),
    batches AS (DELETE FROM zgroup.batch USING gone WHERE grp = id),
    members AS (DELETE FROM zgroup.member USING gone WHERE grp = id),
    values AS (DELETE FROM zgroup.value USING gone WHERE grp = id)
    DELETE FROM zgroup.grp USING gone WHERE grp.id = gone.id RETURNING grp.id`,
} as const;

/** About a group by its number, `$1`. */
export const SQL = {
  log: `SELECT ${LOG} FROM zgroup.log WHERE ${OWN}`,
  members: `SELECT name, json AS text, crc FROM zgroup.member WHERE ${OWN} ORDER BY name`,
  values: `SELECT name, json AS text, crc FROM zgroup.value WHERE ${OWN} ORDER BY name`,
  // Answered from the index alone, which another page holds than the rows.
  newestOfIndex: UNTIL(String(Number.MAX_SAFE_INTEGER)),
  oldest: page(OLDEST, "ASC"),
  newest: page(NEWEST, "DESC"),
  // `$3` to `$4`: batches that begin there, dropped or not.
  slice: page("SELECT $3::bigint AS low, $4::bigint AS high", "ASC"),
  lastMid: `SELECT hi FROM zgroup.batch WHERE ${OWN} AND author = $2 AND hi IS NOT NULL
    ORDER BY hi DESC LIMIT 1`,
  // `$2` author, `$3` lowest, `$4` highest that may share a batch with it, `$5` highest, `$6` how
  // many that reach over some of those between, `$7` each, `$8` how many near them.
  near: `SELECT first, at, lo, hi, false AS crowded FROM zgroup.batch
    WHERE ${OWN} AND author = $2 AND lo = hi
      AND hi = ANY (ARRAY(SELECT decode(mid, 'hex') FROM unnest($7::text[]) AS mid))
    UNION ALL (
      SELECT first, at, lo, hi, false FROM zgroup.batch
      WHERE ${OWN} AND author = $2 AND hi BETWEEN $3 AND $4 AND lo <= $5 AND lo < hi LIMIT $6
    ) UNION ALL (
      SELECT first, at, lo, hi, true FROM zgroup.batch
      WHERE ${OWN} AND author = $2 AND hi BETWEEN $3 AND $4 ORDER BY hi OFFSET $8 LIMIT 1
    )`,
  // `$2` and `$3` term and turn as they were seen, `$4` the mark, `$5` claim, `$6` holder, `$7` moved.
  claim: `UPDATE zgroup.log SET term = term + 1, turn = turn + 1, claim = $5, holder = $6
    WHERE ${OWN} AND term = $2 AND turn = $3 AND ${CHECKED} = $4
      AND moved IS NOT DISTINCT FROM $7::text
    RETURNING ${LOG}`,
  // `$2` claim, `$3` the mark.
  claimAgain: `UPDATE zgroup.log SET term = term + 1, turn = turn + 1
    WHERE ${OWN} AND claim = $2 AND ${CHECKED} = $3 RETURNING ${LOG}`,
  renew: `UPDATE zgroup.log SET turn = turn + 1
    WHERE ${OWN} AND claim = $2 AND ${CHECKED} = $3 RETURNING turn`,
  release: `UPDATE zgroup.log SET turn = turn + 1, holder = NULL, claim = NULL
    WHERE ${OWN} AND claim = $2 AND ${CHECKED} = $3 RETURNING turn`,
  add: `${ADD} SELECT grp FROM fence`,
  addAll: `${ADD}${put("members", "member", 18)}${put("values", "value", 22)}
    SELECT grp FROM fence`,
  // `$2` seq, `$3` ms.
  keep: `SELECT greatest(coalesce(${HOLDING("$2")}, 1),
    coalesce(${SINCE("$3")}, ${HOLDING("head")}, 1)) AS first FROM zgroup.log WHERE ${OWN}`,
  // `$5` to `$14` the batches' columns, of which dropped ones have no JSON but `-`.
  takeIn: `WITH fence AS (
      UPDATE zgroup.log SET edit = edit + 1 WHERE ${FENCE} AND head = 0 RETURNING grp
    ), batches AS (
      INSERT INTO zgroup.batch (grp, first, count, at, author, lo, hi, hash, crcs, mids, json)
      SELECT grp, first, count, at, author, decode(lo, 'hex'), decode(hi, 'hex'),
        decode(hash, 'hex'), decode(crcs, 'hex'), decode(mids, 'hex'), nullif(json, '-')
      FROM fence, unnest($5::bigint[], $6::int[], $7::bigint[], ${split("$8")}, $9::text[],
        $10::text[], $11::text[], $12::text[], $13::text[], ${split("$14")})
        AS batch (first, count, at, author, lo, hi, hash, crcs, mids, json)
      ON CONFLICT (grp, first) DO UPDATE SET mids = excluded.mids, json = excluded.json
    ) SELECT grp FROM fence`,
  // `$5` head, `$6` hash, `$7` tail, `$8` sum, `$9` epoch, then members and values.
  become: `WITH fence AS (
      UPDATE zgroup.log SET edit = edit + 1, head = $5, hash = $6, tail = $7, sum = $8
      WHERE ${FENCE} AND head = 0 RETURNING grp
    ), named AS (UPDATE zgroup.grp SET epoch = $9 FROM fence WHERE grp.id = fence.grp)
    ${put("members", "member", 10)}${put("values", "value", 14)} SELECT grp FROM fence`,
  // `$5` tail, `$6` sum, `$7` and `$8` batches and their mids.
  drop: `WITH fence AS (
      UPDATE zgroup.log SET edit = edit + 1, tail = $5, sum = $6 WHERE ${FENCE} RETURNING grp
    ), dropped AS (
      UPDATE zgroup.batch SET json = NULL, mids = decode(gone.mids, 'hex')
      FROM fence, unnest($7::bigint[], $8::text[]) AS gone (first, mids)
      WHERE batch.grp = fence.grp AND batch.first = gone.first
    ) SELECT grp FROM fence`,
} as const;
