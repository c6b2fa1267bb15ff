/** An invite as people pass it on: everything needed for the first contact, and what to trust. */

import { isAddress, isCurveKey, isUuid, nameProblem } from "./names.ts";

/** What an invite says. */
export interface Invite {
  readonly name: string;
  /** `host:port` of the commands. */
  readonly address: string;
  /** `host:port` of the door. */
  readonly door: string;
  /** Group id. */
  readonly id: string;
  /** The group's CURVE key, Z85. */
  readonly curve: string;
  readonly token: string;
  /** ms since 1970. */
  readonly expires: number;
}

/** `zgroup://HOST:PORT/NAME?id=…&curve=…&door=…&token=…&until=…` */
export function encodeInvite({ name, address, door, id, curve, token, expires }: Invite): string {
  const query = new URLSearchParams({ id, curve, door, token, until: String(expires) });
  return `zgroup://${address}/${encodeURIComponent(name)}?${query}`;
}

/** True if the text is meant as an invite. */
export function looksLikeInvite(text: string): boolean {
  return text.startsWith("zgroup://");
}

/** What an invite says; undefined when it is not a whole one. */
export function parseInvite(text: string): Invite | undefined {
  const match = /^zgroup:\/\/([^/]+)\/([^?]+)\?(.+)$/.exec(text.trim());
  if (!match) return undefined;
  const query = new URLSearchParams(match[3]);
  const part = (name: string) => query.get(name) ?? "";
  let name: string;
  try {
    name = decodeURIComponent(match[2]);
  } catch {
    return undefined;
  }
  const invite = {
    name,
    address: match[1],
    door: part("door"),
    id: part("id"),
    curve: part("curve"),
    token: part("token"),
    expires: Number(part("until")),
  };
  const whole = !nameProblem(name) && isAddress(invite.address) && isAddress(invite.door) &&
    isUuid(invite.id) && isCurveKey(invite.curve) && invite.token.length > 0 &&
    Number.isSafeInteger(invite.expires);
  return whole ? invite : undefined;
}
