/** What is signed: a group's record, and what both sides of a session prove. */

import { groupId, type SigningKey, verifies } from "../identity/keys.ts";
import { CLOCK_SLACK, RECORD_LIFE } from "./limits.ts";
import { type GroupRecord, isRecord } from "./schema.ts";

type Unsigned = Omit<GroupRecord, "sig">;

function recordText(r: Unsigned): string {
  const fields = [r.id, r.name, r.access, r.address, r.key, r.nonce, r.version, r.expires];
  // The only server of a group and one of several sign under different first lines.
  return r.server === undefined
    ? `zgroup record 2\n${fields.join("\n")}`
    : `zgroup record 3\n${[...fields, r.server].join("\n")}`;
}

/** What a group signs to take its own record back, or that of one of its servers. */
export function unregisterText(id: string, version: number, server?: string): string {
  return server === undefined
    ? `zgroup unregister 1\n${id}\n${version}`
    : `zgroup unregister 2\n${id}\n${version}\n${server}`;
}

/** What a group or a registry signs in a handshake; `transcript` is its hash so far, base64url. */
export function serverText(transcript: string): string {
  return `zgroup server 2\n${transcript}`;
}

/** What a user signs in a session; `transcript` is the hash of the whole handshake, base64url. */
export function proofText(transcript: string): string {
  return `zgroup proof 2\n${transcript}`;
}

/** The record, signed. */
export function signRecord(record: Unsigned, key: SigningKey): GroupRecord {
  const { id, name, access, address, nonce, version, expires, server } = record;
  const times = { version, expires, ...(server === undefined ? {} : { server }) };
  const own = { id, name, access, address, key: record.key, nonce, ...times };
  return { ...own, sig: key.sign(recordText(own)) };
}

/**
 * Why nobody should believe that a record is its group's own, whatever the time; undefined when it
 * is.
 */
export function recordSignatureProblem(record: GroupRecord): string | undefined {
  if (!isRecord(record)) return "a field of it is missing or wrong";
  if (record.id !== groupId(record.key, record.name, record.nonce)) {
    return "its id does not belong to its key and name";
  }
  if (!verifies(record.key, recordText(record), record.sig)) return "its signature does not verify";
  return undefined;
}

/**
 * Why a record cannot be believed at time `now` (ms); undefined when it can. Clocks may differ by
 * five minutes.
 */
export function recordProblem(record: GroupRecord, now: number): string | undefined {
  return recordSignatureProblem(record) ?? dateProblem(record, now);
}

/** Why the times of a record cannot be believed; undefined when they can. */
export function dateProblem(
  { version, expires }: Pick<GroupRecord, "version" | "expires">,
  now: number,
): string | undefined {
  if (expires <= now - CLOCK_SLACK) return "it has expired; are the clocks of both machines right?";
  if (expires > now + RECORD_LIFE + CLOCK_SLACK) {
    return "its expiry is too far ahead; are the clocks of both machines right?";
  }
  if (version > now + CLOCK_SLACK) {
    return "its version lies ahead of the date; are the clocks of both machines right?";
  }
  return undefined;
}
