/** All of a log in PostgreSQL, handed to another log or taken from one. */

import { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";
import type { LogStart, MovedBatch, Transfer } from "./log.ts";
import type { Parameter } from "./postgres_connection.ts";
import type { Change } from "./postgres_hold.ts";
import type { FoundRow, Page } from "./postgres_pages.ts";
import { movedParameters, stateParameters } from "./postgres_parameters.ts";
import { SQL } from "./postgres_sql.ts";
import { type RowChange, RowSum } from "./row_sum.ts";
import { midsOf } from "./stored_rows.ts";

/** What is needed of a log that is open. */
export interface TransferOptions {
  now(): Promise<LogStart>;
  /** A slice of whole batches from one seq on. */
  read(from: number): Promise<Page>;
  wasEmpty(): boolean;
  /** Makes a change that nobody else can make, durably. `after` is where the log ends then. */
  change(
    statement: string,
    parameters: readonly Parameter[],
    after?: Change["after"],
  ): Promise<void>;
}

/** The transfer of an open log. */
export function postgresTransfer({ now, read, wasEmpty, change }: TransferOptions): Transfer {
  const requireEmpty = () => {
    if (!wasEmpty()) throw new UsageError("Cannot copy to the database: there is a log in it");
  };
  return {
    now,
    read: async (from) => (await read(from)).rows.map(moved),
    async write(batches) {
      requireEmpty();
      await change(SQL.takeIn, movedParameters(batches));
    },
    async become(start) {
      requireEmpty();
      const { head, hash, tail, epoch } = start;
      const ends = [head, Buffer.from(hash, "base64url"), tail, sumOf(start), epoch];
      await change(SQL.become, [...ends, ...stateParameters(start)], { head, hash, tail });
    },
  };
}

function moved(row: FoundRow): MovedBatch {
  const { first, count, at, author, hash, crcs, json } = row;
  return { first, count, at, author, hash, crcs, json, mids: midsOf(row) };
}

function sumOf({ epoch, tail, members, values }: LogStart): number {
  const rows: RowChange[] = [
    ["meta", "epoch", epoch],
    ["meta", "tail", String(tail)],
    ...members.map(({ user, json }): RowChange => ["member", user, json]),
    ...Object.entries(values).map(([name, text]): RowChange => ["value", name, text]),
  ];
  return new RowSum().after(rows);
}
