/** An invite as people pass it on: the group's signed record, whom to trust, and a token. */

import { isNetworkAddress, splitRegistry } from "../text/addresses.ts";
import { nameProblem } from "../text/names.ts";
import { groupId } from "../identity/keys.ts";
import { recordSignatureProblem } from "./record.ts";
import type { GroupRecord } from "./schema.ts";

/** What an invite says. */
export interface Invite {
  /** Signed by the group; may have expired, since who it is stays true. */
  readonly record: GroupRecord;
  readonly token: string;
  /** When the token expires, ms since 1970. */
  readonly until: number;
  /** `HOST:PORT#KEY` of a registry that lists the group, or empty. */
  readonly registry: string;
}

/**
 * `zgroup://HOST:PORT/NAME?key=…&nonce=…&access=…&version=…&expires=…&sig=…&token=…&until=…`, with
 * `&server=…` where the record names one.
 */
export function encodeInvite({ record, token, until, registry }: Invite): string {
  const { name, address, key, nonce, access, version, expires, server, sig } = record;
  const query = new URLSearchParams({
    ...{ key, nonce, access, version: String(version), expires: String(expires) },
    ...(server === undefined ? {} : { server }),
    sig,
    ...{ token, until: String(until), ...(registry ? { registry } : {}) },
  });
  return `zgroup://${address}/${encodeURIComponent(name)}?${query}`;
}

/** True if the text is meant as an invite. */
export function looksLikeInvite(text: string): boolean {
  return text.startsWith("zgroup://");
}

/** What an invite says; undefined when it is not a whole one, or its record is not signed so. */
export function parseInvite(text: string): Invite | undefined {
  const match = /^zgroup:\/\/([^/]+)\/([^?]+)\?(.+)$/.exec(text.trim());
  if (!match) return undefined;
  const query = new URLSearchParams(match[3]);
  const part = (name: string) => query.get(name) ?? "";
  const whole = (name: string) => /^\d{1,16}$/.test(part(name)) ? Number(part(name)) : -1;
  let name: string;
  try {
    name = decodeURIComponent(match[2]);
  } catch {
    return undefined;
  }
  const [key, nonce] = [part("key"), part("nonce")];
  const record = {
    id: groupId(key, name, nonce),
    name,
    access: part("access") as GroupRecord["access"],
    address: match[1],
    key,
    nonce,
    version: whole("version"),
    expires: whole("expires"),
    ...(query.has("server") ? { server: part("server") } : {}),
    sig: part("sig"),
  };
  const [token, until, registry] = [part("token"), whole("until"), part("registry")];
  const good = !nameProblem(name) && isNetworkAddress(record.address) &&
    !recordSignatureProblem(record) &&
    /^[A-Za-z0-9_-]{16,64}$/.test(token) && Number.isSafeInteger(until) && until >= 0 &&
    (registry === "" || splitRegistry(registry)?.key !== undefined);
  return good ? { record, token, until, registry } : undefined;
}
