/** Sealing with a passphrase: scrypt makes the key, AES-256-GCM seals. */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";

/** What a key is made with beside the passphrase. The memory it takes is 128 × `n` × `r` bytes. */
export interface Stretching {
  /** A power of two. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
  /** Base64url. */
  readonly salt: string;
}

/** 128 MiB and a third of a second a try. */
const COST = { n: 131_072, r: 8, p: 1 } as const;
/** What another's file may ask for at most: 256 MiB, four passes. */
const [LEAST_N, MOST_N, MOST_P] = [16_384, 262_144, 4];
const [SALT_BYTES, NONCE_BYTES, TAG_BYTES] = [16, 12, 16];

/** Whether this costs enough to hold, and no more than anybody can pay. */
export function isPayable({ n, r, p }: Stretching): boolean {
  return n >= LEAST_N && n <= MOST_N && Math.log2(n) % 1 === 0 && r === COST.r && p >= 1 &&
    p <= MOST_P;
}

export function newStretching(): Stretching {
  return { ...COST, salt: randomBytes(SALT_BYTES).toString("base64url") };
}

/** A fresh nonce, base64url: one for each text that is sealed. */
export function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString("base64url");
}

/** What seals and opens; `nonce` base64url, and `head`, which is proved with the text. */
export interface Sealing {
  readonly passphrase: string;
  readonly stretching: Stretching;
  readonly nonce: string;
  readonly head: string;
}

/** The text, sealed: ciphertext and tag, base64url. */
export async function sealText(text: string, sealing: Sealing): Promise<string> {
  const nonce = Buffer.from(sealing.nonce, "base64url");
  const cipher = createCipheriv("aes-256-gcm", await keyOf(sealing), nonce);
  cipher.setAAD(Buffer.from(sealing.head));
  const sealed = [cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat(sealed).toString("base64url");
}

/** The text that was sealed; undefined with another passphrase, or where anything was altered. */
export async function openText(sealed: string, sealing: Sealing): Promise<string | undefined> {
  const bytes = Buffer.from(sealed, "base64url");
  const nonce = Buffer.from(sealing.nonce, "base64url");
  if (bytes.length < TAG_BYTES || nonce.length !== NONCE_BYTES) return undefined;
  const key = await keyOf(sealing);
  try {
    const end = bytes.length - TAG_BYTES;
    const cipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(sealing.head));
    cipher.setAuthTag(bytes.subarray(end));
    return Buffer.concat([cipher.update(bytes.subarray(0, end)), cipher.final()]).toString();
  } catch {
    return undefined;
  }
}

/** Of the passphrase in one spelling (NFKC): keyboards differ in how they write an ä. */
function keyOf({ passphrase, stretching }: Sealing): Promise<Buffer> {
  const { n: N, r, p, salt } = stretching;
  const secret = Buffer.from(passphrase.normalize("NFKC"));
  const cost = { N, r, p, maxmem: 128 * N * r + 128 * r * p + 1_048_576 };
  return new Promise((resolve, reject) => {
    scrypt(secret, Buffer.from(salt, "base64url"), 32, cost, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
