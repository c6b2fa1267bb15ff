/** A group's registry record: how it is signed, and how anyone checks it. */

import { groupId, type SigningKey, verifies } from "../identity/keys.ts";
import { type GroupRecord, isRecord } from "./schema.ts";

type Unsigned = Omit<GroupRecord, "sig">;

function recordText(r: Unsigned): string {
  const place = [r.access, r.address, r.live, r.door, r.curve];
  const fields = [r.id, r.name, ...place, r.key, r.nonce, r.version, r.expires];
  return `zgroup record 1\n${fields.join("\n")}`;
}

/** What a group signs to take its own record back. */
export function unregisterText(id: string, version: number): string {
  return `zgroup unregister 1\n${id}\n${version}`;
}

/** What a user signs to prove its key to a group. */
export function proofText(nonce: string, group: string): string {
  return `zgroup proof 1\n${nonce}\n${group}`;
}

/** What a user signs to be let in by a door: group id, its own CURVE key, the invite or nothing. */
export function enterText(group: string, curve: string, invite = ""): string {
  return `zgroup enter 1\n${group}\n${curve}\n${invite}`;
}

/** The record, signed. */
export function signRecord(record: Unsigned, key: SigningKey): GroupRecord {
  return { ...record, sig: key.sign(recordText(record)) };
}

/** Why a record cannot be believed at time `now` (ms); undefined when it can. */
export function recordProblem(record: GroupRecord, now: number): string | undefined {
  if (record.id !== groupId(record.key, record.name, record.nonce)) {
    return "its id does not belong to its key and name";
  }
  if (!verifies(record.key, recordText(record), record.sig)) return "its signature does not verify";
  if (!isRecord(record)) return "a field of it is missing or wrong";
  if (record.expires <= now) return "it has expired; are the clocks of both machines right?";
  return undefined;
}
