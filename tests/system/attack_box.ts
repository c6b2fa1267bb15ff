/** The crypto box of CurveZMQ (X25519, XSalsa20, Poly1305), for attackers that are no libzmq. */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, diffieHellman, randomBytes } from "node:crypto";

const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI = Buffer.from("302a300506032b656e032100", "hex");
const SIGMA = new Uint32Array(new TextEncoder().encode("expand 32-byte k").buffer);

/** An X25519 key pair, raw. */
export interface BoxKeys {
  readonly secret: Uint8Array;
  readonly public: Uint8Array;
}

/** A fresh pair, or the one of a secret. */
export function boxKeys(secret: Uint8Array = randomBytes(32)): BoxKeys {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8, secret]),
    format: "der",
    type: "pkcs8",
  });
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return { secret, public: new Uint8Array(der.subarray(der.length - 32)) };
}

/** Seals and opens between two keys. */
export class Box {
  readonly #key: Uint8Array;

  constructor(secret: Uint8Array, peer: Uint8Array) {
    const shared = diffieHellman({
      privateKey: createPrivateKey({
        key: Buffer.concat([PKCS8, secret]),
        format: "der",
        type: "pkcs8",
      }),
      publicKey: createPublicKey({ key: Buffer.concat([SPKI, peer]), format: "der", type: "spki" }),
    });
    this.#key = hsalsa(new Uint8Array(shared), new Uint8Array(16));
  }

  /** Tag and ciphertext. */
  seal(text: Uint8Array, nonce: Uint8Array): Uint8Array {
    const padded = new Uint8Array(32 + text.length);
    padded.set(text, 32);
    const stream = xsalsa(this.#key, nonce, padded);
    const sealed = stream.subarray(16);
    sealed.set(poly1305(stream.subarray(0, 32), stream.subarray(32)));
    return sealed;
  }

  /** The text; the tag is not looked at: an attacker believes everything. */
  open(sealed: Uint8Array, nonce: Uint8Array): Uint8Array {
    const padded = new Uint8Array(16 + sealed.length);
    padded.set(sealed.subarray(16), 32);
    return xsalsa(this.#key, nonce, padded).subarray(32);
  }
}

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer); // A Buffer would share its pool.
}

function input(key: Uint32Array, middle: Uint32Array): Uint32Array {
  const x = new Uint32Array(16);
  for (let i = 0; i < 4; i++) x[5 * i] = SIGMA[i];
  x.set(key.subarray(0, 4), 1);
  x.set(key.subarray(4), 11);
  x.set(middle, 6);
  return x;
}

const COLUMNS = [[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]];
const ROWS = [[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]];
const QUARTERS = Uint8Array.from([...COLUMNS, ...ROWS].flat());

/** Twenty rounds of Salsa20, in place. */
function rounds(x: Uint32Array): void {
  for (let round = 0; round < 10; round++) {
    for (let q = 0; q < 32; q += 4) {
      const a = QUARTERS[q];
      const b = QUARTERS[q + 1];
      const c = QUARTERS[q + 2];
      const d = QUARTERS[q + 3];
      x[b] ^= turned(x[a] + x[d], 7);
      x[c] ^= turned(x[b] + x[a], 9);
      x[d] ^= turned(x[c] + x[b], 13);
      x[a] ^= turned(x[d] + x[c], 18);
    }
  }
}

function turned(sum: number, by: number): number {
  return (sum << by) | ((sum | 0) >>> (32 - by));
}

function hsalsa(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const x = input(words(key), words(nonce));
  rounds(x);
  const out = Uint32Array.of(x[0], x[5], x[10], x[15], x[6], x[7], x[8], x[9]);
  return new Uint8Array(out.buffer);
}

function xsalsa(key: Uint8Array, nonce: Uint8Array, text: Uint8Array): Uint8Array {
  const subkey = words(hsalsa(key, nonce.subarray(0, 16)));
  const [n0, n1] = words(nonce.subarray(16, 24));
  const out = new Uint8Array(text.length);
  const start = input(subkey, Uint32Array.of(n0, n1, 0, 0));
  const x = new Uint32Array(16);
  const stream = new Uint8Array(x.buffer);
  for (let at = 0, block = 0; at < text.length; at += 64, block++) {
    start[8] = block;
    x.set(start);
    rounds(x);
    for (let i = 0; i < 16; i++) x[i] += start[i];
    const end = Math.min(64, text.length - at);
    for (let i = 0; i < end; i++) out[at + i] = text[at + i] ^ stream[i];
  }
  return out;
}

/** Limbs of 13 bits, so that products stay exact. */
function limbs(bytes: Uint8Array, top: number): number[] {
  const out = new Array<number>(10).fill(0);
  for (let bit = 0; bit < 130; bit++) {
    const byte = bit >> 3;
    const value = byte < bytes.length ? (bytes[byte] >> (bit & 7)) & 1 : 0;
    out[Math.floor(bit / 13)] |= value << (bit % 13);
  }
  if (top >= 0) out[Math.floor(top / 13)] |= 1 << (top % 13);
  return out;
}

function poly1305(key: Uint8Array, text: Uint8Array): Uint8Array {
  const clamped = key.slice(0, 16);
  for (const i of [3, 7, 11, 15]) clamped[i] &= 15;
  for (const i of [4, 8, 12]) clamped[i] &= 252;
  const r = limbs(clamped, -1);
  const h = new Float64Array(10);
  const product = new Float64Array(10);
  for (let at = 0; at < text.length; at += 16) {
    addBlock(h, text, at, Math.min(16, text.length - at));
    for (let i = 0; i < 10; i++) {
      let sum = 0;
      for (let j = 0; j <= i; j++) sum += h[j] * r[i - j];
      let high = 0;
      for (let j = i + 1; j < 10; j++) high += h[j] * r[10 + i - j];
      product[i] = sum + 5 * high;
    }
    let carry = 0;
    for (let i = 0; i < 10; i++) {
      const value = product[i] + carry;
      carry = Math.floor(value / 8192);
      h[i] = value - carry * 8192;
    }
    h[0] += 5 * carry;
  }
  let total = 0n;
  for (let i = 9; i >= 0; i--) total = total * 8192n + BigInt(h[i]);
  total %= (1n << 130n) - 5n;
  for (let i = 15; i >= 0; i--) total += BigInt(key[16 + i]) << BigInt(8 * i);
  const tag = new Uint8Array(16);
  for (let i = 0; i < 16; i++) tag[i] = Number((total >> BigInt(8 * i)) & 255n);
  return tag;
}

function addBlock(h: Float64Array, text: Uint8Array, at: number, length: number): void {
  let held = 0;
  let bits = 0;
  for (let i = 0, limb = 0; limb < 10; limb++) {
    while (bits < 13 && i <= 16) {
      held |= (i < length ? text[at + i] : i === length ? 1 : 0) << bits;
      i++;
      bits += 8;
    }
    h[limb] += held & 8191;
    held >>>= 13;
    bits -= 13;
  }
}
