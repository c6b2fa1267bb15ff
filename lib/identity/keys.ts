/** Ed25519 keys, the ids made from them, signatures, and random values. */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  sign as edSign,
  verify as edVerify,
} from "node:crypto";
import { Buffer } from "node:buffer";

/** DER prefix of a raw 32-byte Ed25519 public key (RFC 8410). */
const SPKI = Buffer.from("302a300506032b6570032100", "hex");
/** DER prefix of a raw 32-byte Ed25519 private key (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** A key pair that can sign. */
export interface SigningKey {
  /** Raw public key, base64url, 43 characters. */
  readonly publicKey: string;
  /** Raw private key (seed), base64url, 43 characters. */
  readonly secretKey: string;
  /** Ed25519 signature of the UTF-8 text, base64url, 86 characters. */
  sign(text: string): string;
}

/** A fresh Ed25519 key pair. */
export function newSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const der = privateKey.export({ format: "der", type: "pkcs8" });
  return signingKey(der.subarray(der.length - 32).toString("base64url"));
}

/** The pair of a raw private key (base64url). @throws {Error} if it is not 32 bytes */
export function signingKey(secretKey: string): SigningKey {
  const seed = Buffer.from(secretKey, "base64url");
  if (seed.length !== 32) throw new Error("Cannot use the secret key: it is not 32 bytes");
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8, seed]),
    format: "der",
    type: "pkcs8",
  });
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: der.subarray(der.length - 32).toString("base64url"),
    secretKey,
    sign: (text) => edSign(null, Buffer.from(text), key).toString("base64url"),
  };
}

/** Keys parsed lately: parsing costs as much as half a verification. */
const parsed = new Map<string, KeyObject>();
const MAX_PARSED = 1_000;

function publicKeyObject(key: string): KeyObject {
  const known = parsed.get(key);
  if (known) return known;
  const object = createPublicKey({
    key: Buffer.concat([SPKI, Buffer.from(key, "base64url")]),
    format: "der",
    type: "spki",
  });
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(key, object);
  return object;
}

/** True if `signature` (base64url) is this key's over the UTF-8 text; false for anything malformed. */
export function verifies(key: string, text: string, signature: string): boolean {
  try {
    const bytes = Buffer.from(signature, "base64url");
    return bytes.length === 64 && edVerify(null, Buffer.from(text), publicKeyObject(key), bytes);
  } catch {
    return false;
  }
}

/** A version 8 UUID (RFC 9562) made of the first 16 bytes of SHA-256 of the text. */
function uuid8(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/** The user id of a public key. Nobody without the private key can prove to own it. */
export function userId(publicKey: string): string {
  return uuid8(`zgroup user 1\n${publicKey}`);
}

/** The group id of a founding key, name and nonce. */
export function groupId(publicKey: string, name: string, nonce: string): string {
  return uuid8(`zgroup group 1\n${publicKey}\n${name}\n${nonce}`);
}

/** SHA-256 of the UTF-8 text, hex, 64 characters. */
export function sha256(text: string): string {
  return hash("sha256", text, "hex");
}

/** A random value of that many bytes (default 16, 128 bit), base64url. */
export function randomToken(bytes = 16): string {
  return randomBytes(bytes).toString("base64url");
}

/** Crockford's base32: no I, L, O, U, which people take for others. */
const BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * A public key as people compare it: 80 bits of its SHA-256, as `XXXX-XXXX-XXXX-XXXX`. Too short to
 * stand for the key, long enough that nobody makes another key with the same.
 */
export function shortKey(publicKey: string): string {
  const digest = createHash("sha256").update(Buffer.from(publicKey, "base64url")).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  const all = Array.from(
    { length: 16 },
    (_, i) => BASE32[Number((bits >> BigInt(75 - 5 * i)) & 31n)],
  );
  return all.join("").replace(/(.{4})(?=.)/g, "$1-");
}
