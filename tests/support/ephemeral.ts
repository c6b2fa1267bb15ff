import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import type { Ephemeral } from "../../lib/session/noise.ts";

/** DER prefix of a raw X25519 private key (RFC 8410), and of a public one. */
const PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_BYTES = 12;

/** The pair of a raw private key, for vectors. */
export function ephemeralOf(secret: Uint8Array): Ephemeral {
  const der = Buffer.concat([PKCS8, secret]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { publicKey: publicKey.subarray(SPKI_BYTES), privateKey };
}
