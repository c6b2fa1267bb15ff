/**
 * Who may enter a CURVE server: the ZAP handler (ZeroMQ RFC 27), one for all servers of a context.
 *
 * Each server has a domain of its own and refuses everybody when nobody answers for it.
 */

import type { Port } from "./socket.ts";
import type { Frames } from "./transport.ts";

/** True lets the key in; see `ServerSecurity.admit`. */
export type Admit = (key: string, address: string) => boolean;

export const ZAP_ENDPOINT = "inproc://zeromq.zap.01";

/** Opens the bound ROUTER that libzmq asks. */
export type OpenHandler = (onMessage: (frames: Frames, port: Port) => void) => Promise<Port>;

export class ZapHandler {
  readonly #open: OpenHandler;
  readonly #doors = new Map<string, Admit>();
  #port: Promise<Port> | undefined;
  #domains = 0;

  constructor(open: OpenHandler) {
    this.#open = open;
  }

  /** The domain of a server that is about to be bound. Call {@linkcode leave} when it closed. */
  async enter(admit: Admit): Promise<string> {
    const domain = `zgroup-${++this.#domains}`;
    this.#doors.set(domain, admit);
    try {
      await (this.#port ??= this.#open((frames, port) => this.#answer(frames, port)));
    } catch (error) {
      this.#port = undefined;
      this.#doors.delete(domain);
      throw error;
    }
    return domain;
  }

  /** The last one to leave closes the handler. */
  async leave(domain: string): Promise<void> {
    if (!this.#doors.delete(domain) || this.#doors.size > 0) return;
    const port = this.#port;
    this.#port = undefined;
    await (await port)?.close();
  }

  #answer(frames: Frames, port: Port): void {
    const [id, , version, request, domain, address, , mechanism, key] = frames;
    if (frames.length < 8) return;
    let allowed = false;
    try {
      allowed = text(mechanism) === "CURVE" && key?.length === 32 &&
        this.#doors.get(text(domain))?.(encodeZ85(key), text(address)) === true;
    } finally {
      const verdict = allowed ? ["200", "OK"] : ["400", "not admitted"];
      port.post([id, "", version, request, ...verdict, "", ""]);
    }
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** ZeroMQ RFC 32: four bytes become five printable characters; the length must divide by 4. */
export function encodeZ85(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let encoded = "";
  for (let at = 0; at < bytes.length; at += 4) {
    const value = view.getUint32(at);
    for (const place of [85 ** 4, 85 ** 3, 85 ** 2, 85, 1]) {
      encoded += Z85[Math.floor(value / place) % 85];
    }
  }
  return encoded;
}
