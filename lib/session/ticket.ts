/**
 * Tickets: what a server gives to who proved a key, so that its next handshake comes before those of
 * strangers. A ticket opens nothing else.
 */

import { Buffer } from "node:buffer";
import { hkdfSync, type KeyObject, randomBytes } from "node:crypto";
import { TICKET_LIFE } from "../protocol/limits.ts";
import { open, seal, sealingKey } from "./noise.ts";
import { TICKET_BYTES } from "./packet.ts";

const NONCE_BYTES = 12;
/** Expiry (u48 big endian), 16 bytes of the user's id, 2 zeros. */
const PLAIN_BYTES = 24;

/** Makes and reads the tickets of one server. */
export class Tickets {
  readonly #key: KeyObject;
  readonly #now: () => number;

  /** @param secret the server's, so that its tickets are good after a restart */
  constructor(secret: Uint8Array | string, now: () => number = Date.now) {
    const key = hkdfSync("sha256", secret, new Uint8Array(0), "zgroup ticket 2", 32);
    this.#key = sealingKey(new Uint8Array(key));
    this.#now = now;
  }

  /** A ticket of this user, base64url, good for {@linkcode TICKET_LIFE}. */
  issue(user: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const plain = Buffer.alloc(PLAIN_BYTES);
    plain.writeUIntBE(this.#now() + TICKET_LIFE, 0, 6);
    plain.write(user.replaceAll("-", ""), 6, "hex");
    return Buffer.from(seal(this.#key, nonce, plain, nonce)).toString("base64url");
  }

  /** Whose ticket it is, the same for all tickets of one user; undefined when it is not good. */
  userOf(ticket: Uint8Array): string | undefined {
    if (ticket.length !== TICKET_BYTES) return undefined;
    try {
      const nonce = ticket.subarray(0, NONCE_BYTES);
      const plain = Buffer.from(open(this.#key, nonce, ticket.subarray(NONCE_BYTES)));
      if (plain.readUIntBE(0, 6) <= this.#now()) return undefined;
      return plain.toString("hex", 6);
    } catch {
      return undefined;
    }
  }
}

/** A ticket as a hello carries it; undefined for a text that is none. */
export function ticketBytes(text: string | undefined): Uint8Array | undefined {
  const bytes = Buffer.from(text ?? "", "base64url");
  return bytes.length === TICKET_BYTES ? bytes : undefined;
}
