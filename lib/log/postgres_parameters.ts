/** Commits as the parameters of a statement. Pure. */

import { Buffer } from "node:buffer";
import { type SealedBatch, textCrc } from "./chain.ts";
import type { Commit, LogStart, MovedBatch } from "./log.ts";
import { packMids } from "./mids.ts";
import type { Parameter } from "./postgres_connection.ts";
import { SEPARATOR } from "./postgres_sql.ts";

/** Numbers or plain words as an array. */
export function list(values: readonly (string | number | null)[]): string {
  return `{${values.map((value) => value ?? "NULL").join(",")}}`;
}

/** Any texts as an array. */
function quoted(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** The columns of the batches, then those of members and values where there are some. */
export function commitParameters(
  { batches, members = [], gone = [], values = {} }: Commit,
  sealed: readonly SealedBatch[],
): Parameter[] {
  const end = (which: 0 | -1) =>
    list(batches.map(({ mids }) => mids.length > 0 ? hex(packMids([mids.at(which)!])) : null));
  const columns = [
    list(sealed.map(({ first }) => first)),
    list(sealed.map(({ count }) => count)),
    list(sealed.map(({ at }) => at)),
    batches.map(({ author }) => author).join(SEPARATOR),
    end(0),
    end(-1),
    list(sealed.map(({ hash }) => hex(hash))),
    list(sealed.map(({ crcs }) => hex(crcs))),
    batches.map(({ json }) => json).join(SEPARATOR),
  ];
  const kept = new Map(members.map(({ user, json }) => [user, json]));
  for (const user of gone) kept.delete(user);
  const named = Object.entries(values);
  if (kept.size + gone.length + named.length === 0) return columns;
  const set = named.filter((entry): entry is [string, string] => entry[1] !== undefined);
  const unset = named.filter(([, text]) => text === undefined).map(([name]) => name);
  return [...columns, ...rows([...kept]), quoted(gone), ...rows(set), quoted(unset)];
}

/** The columns of batches that another log sealed. */
export function movedParameters(batches: readonly MovedBatch[]): Parameter[] {
  const end = (which: 0 | -1) =>
    list(batches.map(({ mids }) => mids.length > 0 ? hex(packMids([mids.at(which)!])) : null));
  return [
    list(batches.map(({ first }) => first)),
    list(batches.map(({ count }) => count)),
    list(batches.map(({ at }) => at)),
    batches.map(({ author }) => author).join(SEPARATOR),
    end(0),
    end(-1),
    list(batches.map(({ hash }) => hex(hash))),
    list(batches.map(({ crcs }) => hex(crcs))),
    list(batches.map(({ json, mids }) => json === null ? `"${hex(packMids(mids))}"` : null)),
    batches.map(({ json }) => json ?? "-").join(SEPARATOR),
  ];
}

/** All members and values of a log. */
export function stateParameters({ members, values }: LogStart): Parameter[] {
  const none = quoted([]);
  const kept = members.map(({ user, json }): [string, string] => [user, json]);
  return [...rows(kept), none, ...rows(Object.entries(values)), none];
}

/** Names and texts, which stand there as JSON. */
function rows(texts: readonly (readonly [string, string])[]): Parameter[] {
  return [
    quoted(texts.map(([name]) => name)),
    quoted(texts.map(([, text]) => JSON.stringify(text))),
    list(texts.map(([name, text]) => textCrc(name, text))),
  ];
}
