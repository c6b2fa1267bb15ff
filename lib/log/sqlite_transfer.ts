// deno-lint-ignore-file require-await -- the interface is asynchronous, SQLite is not
/** All of a log in SQLite, handed to another log or taken from one. */

import type { Statements } from "../disk/sqlite.ts";
import { UsageError } from "../errors.ts";
import { textCrc } from "./chain.ts";
import type { LogStart, MovedBatch, Transfer } from "./log.ts";
import { packMids } from "./mids.ts";
import { type RowChange, RowSum } from "./row_sum.ts";
import type { LogFile } from "./sqlite_file.ts";
import { cast, linkBefore, wholeSlice } from "./sqlite_rows.ts";
import type { AuthorRow, SQL } from "./sqlite_schema.ts";
import { midsOf, type WholeRow } from "./stored_rows.ts";

type Sql = Statements<keyof typeof SQL>;

/** The transfer of the log in a file: what it is `now`, and whether it was empty when it opened. */
export function sqliteTransfer(
  file: LogFile,
  now: () => LogStart,
  wasEmpty: () => boolean,
): Transfer {
  const taking = (work: (sql: Sql) => void) => {
    if (!wasEmpty()) throw new UsageError(`Cannot copy to ${file.path}: there is a log in it`);
    file.transaction("copy", () => work(file.sql));
  };
  return {
    now: async () => now(),
    async read(from) {
      const link = file.reading(() => linkBefore(file, from), from);
      return wholeSlice(file, link).map(moved);
    },
    write: async (batches) => taking((sql) => putBatches(sql, batches)),
    become: async (start) => taking((sql) => putState(sql, start)),
  };
}

function moved(row: WholeRow): MovedBatch {
  const { first, count, at, user: author, hash, crcs, json } = row;
  return { first, count, at, author, hash, crcs, json, mids: midsOf(row) };
}

/** Puts batches that another log sealed in their place, within a transaction. */
export function putBatches(sql: Sql, batches: readonly MovedBatch[]): void {
  const ids = new Map<string, number>();
  for (const { first, count, at, author, mids, hash, crcs, json } of batches) {
    const id = ids.get(author) ?? authorId(sql, author);
    ids.set(author, id);
    const [lo, hi] = mids.length > 0 ? [mids.slice(0, 1), mids.slice(-1)].map(packMids) : [];
    const packed = json === null ? packMids(mids) : null;
    sql.put.run(first, count, at, id, lo ?? null, hi ?? null, hash, crcs, packed, json);
  }
}

function authorId(sql: Sql, author: string): number {
  const row = cast<{ id: number } | undefined>(sql.author.get(author));
  return row?.id ?? Number(sql.addAuthor.run(author).lastInsertRowid);
}

/** Puts all but the batches, which are there, within a transaction. */
export function putState(sql: Sql, { epoch, tail, members, values }: LogStart): void {
  const rows: RowChange[] = [["meta", "epoch", epoch], ["meta", "tail", String(tail)]];
  sql.setMeta.run("epoch", epoch);
  sql.setMeta.run("tail", tail);
  for (const { id, user } of cast<AuthorRow[]>(sql.authors.all())) {
    rows.push(["author", String(id), user]);
  }
  for (const { user, json } of members) {
    sql.setMember.run(user, json, textCrc(user, json));
    rows.push(["member", user, json]);
  }
  for (const [name, text] of Object.entries(values)) {
    sql.setValue.run(name, text, textCrc(name, text));
    rows.push(["value", name, text]);
  }
  sql.setMeta.run("sum", new RowSum().after(rows));
}
