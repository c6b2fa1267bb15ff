/** Ids, keys and signatures as they travel: what is well-formed, one spelling for each. */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const CLAIMED = /^~[\x21-\x7e]{1,64}$/;
// The spare bits of the last character are 0: another spelling would be another id for one key.
const KEY = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const SIGNATURE = /^[A-Za-z0-9_-]{85}[AQgw]$/;

/** A UUID in lower case with hyphens, any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** A user's id: made of a key, or `~` and what a user of a dialect claims to be. */
export function isUserId(text: string): boolean {
  return UUID.test(text) || CLAIMED.test(text);
}

/** The short form of a user id, as people read and type it: `#1a2b3c4d`. */
export function shortId(user: string): string {
  return `#${user.slice(0, 8)}`;
}

/** A short id, and the name before it if there is one: `alice#1a2b3c4d`. */
export function splitShortId(typed: string): { name: string; short: string } | undefined {
  const [, name, hex, claimed] = /^(.*)#(?:([0-9a-f]{8})|(~[\x21-\x7e]{1,7}))$/i.exec(typed) ?? [];
  const id = hex?.toLowerCase() ?? claimed;
  return id === undefined ? undefined : { name, short: `#${id}` };
}

/** A message id: a version 7 UUID in lower case, so that text order is time order. */
export function isMid(text: string): boolean {
  return text.length === 36 && UUID7.test(text);
}

/** The millisecond a message id was made, by its maker's clock. */
export function midTime(mid: string): number {
  return parseInt(mid.slice(0, 8) + mid.slice(9, 13), 16);
}

/** A raw 32-byte public key, base64url without padding, 43 characters. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** A 64-byte Ed25519 signature, base64url without padding, 86 characters. */
export function isSignature(text: string): boolean {
  return SIGNATURE.test(text);
}
