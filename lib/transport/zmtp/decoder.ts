/** Reads ZMTP 3 from chunks of any size; see {@linkcode Decoder}. Pure. */

import { Buffer } from "node:buffer";
import type { Bounds, Frames, PeerBounds } from "../transport.ts";
import { COMMAND, GREETING_BYTES, greetingProblem, latin1, LONG, MORE } from "./codec.ts";

/** What came. Bytes may be a view of the chunk they came in. */
export type Item =
  | { readonly kind: "greeting"; readonly minor: number; readonly padding: number }
  | { readonly kind: "command"; readonly name: string; readonly data: Uint8Array }
  | { readonly kind: "message"; readonly frames: Frames; readonly bytes: number }
  /** The last one: what comes behind is not read. */
  | { readonly kind: "fault"; readonly why: string };

const NOTHING = new Uint8Array(0);
/** First size of the buffer for what is not whole, bytes; it doubles with what arrives. */
const FIRST_BUFFER = 64;

/**
 * Fed chunks, gives items one by one, so that the owner may stop between two of them.
 *
 * Never allocates what a header merely claims: an unfinished frame lies in a buffer at most twice as
 * long as what arrived of it. Each byte is copied O(1) times, however small the chunks are; what is
 * kept between chunks keeps no chunk alive.
 */
export class Decoder {
  /** What is beyond is a fault; an empty frame at the beginning of a message is not counted. */
  bounds: Pick<PeerBounds, "frame" | "message">;
  readonly #most: Pick<Bounds, "frames" | "command">;
  #phase: "greeting" | "ready" | "open" | "fault" = "greeting";
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** The beginning of what is being gathered over several chunks. */
  #start: Uint8Array = NOTHING;
  #started = 0;
  /** Frame in progress; -1: its flags, or its length, have not come. */
  #flags = -1;
  #length = -1;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  /** Frames of `#parts` that are no views of the chunk. */
  #ownParts = 0;

  constructor(
    most: Pick<Bounds, "frames" | "command">,
    bounds: Pick<PeerBounds, "frame" | "message">,
  ) {
    this.#most = most;
    this.bounds = bounds;
  }

  /** Bytes kept now. */
  get held(): number {
    return this.#start.length + this.#partBytes + this.#chunk.length - this.#at;
  }

  /** Bytes that came and have not been looked at: the owner stopped taking items. */
  get unread(): number {
    return this.#chunk.length - this.#at;
  }

  /** Messages are taken from now on; before, only commands are. */
  open(): void {
    if (this.#phase === "ready") this.#phase = "open";
  }

  /** Takes all items there are before it feeds more, or the rest of two chunks is joined. */
  feed(chunk: Uint8Array): void {
    if (this.#phase === "fault") return;
    if (this.unread > 0) chunk = Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next item; undefined: none before more is fed. */
  next(): Item | undefined {
    if (this.#phase === "greeting") return this.#greeting();
    while (this.#phase !== "fault") {
      if (this.#length < 0) {
        const why = this.#header();
        if (why !== undefined) return this.#fault(why);
        if (this.#length < 0) return this.#settle();
      }
      const body = this.#take(this.#length);
      if (!body) return this.#settle();
      const flags = this.#flags;
      this.#flags = this.#length = -1;
      if (flags & COMMAND) return this.#command(body);
      this.#parts.push(body);
      this.#partBytes += body.length;
      if (flags & MORE) continue;
      const item: Item = { kind: "message", frames: this.#parts, bytes: this.#partBytes };
      this.#parts = [];
      this.#partBytes = this.#ownParts = 0;
      return item;
    }
    return undefined;
  }

  #greeting(): Item | undefined {
    const greeting = this.#take(GREETING_BYTES);
    const why = greetingProblem(greeting ?? this.#start.subarray(0, this.#started));
    if (why !== undefined) return this.#fault(why);
    if (!greeting) return this.#settle();
    this.#phase = "ready";
    const minor = greeting[10] > 3 ? 1 : greeting[11];
    return { kind: "greeting", minor, padding: greeting[8] };
  }

  /** Reads flags and length as far as they have come, and says what is wrong with them. */
  #header(): string | undefined {
    if (this.#flags < 0) {
      if (this.#at === this.#chunk.length) return undefined;
      const flags = this.#chunk[this.#at++];
      if (flags & ~(MORE | LONG | COMMAND) || (flags & COMMAND && flags & MORE)) return "bad flags";
      if (!(flags & COMMAND) && this.#phase !== "open") return "message before READY";
      this.#flags = flags;
    }
    const length = this.#readLength();
    if (length === undefined) return undefined;
    if (this.#flags & COMMAND) {
      if (length > this.#most.command) return "command too long";
    } else {
      const { frame, message } = this.bounds;
      if (length > frame) return "frame too long";
      if (this.#partBytes + length > message) return "message too long";
      if (this.#parts.length >= this.#most.frames + (this.#parts[0]?.length === 0 ? 1 : 0)) {
        return "too many frames";
      }
    }
    this.#length = length;
    return undefined;
  }

  #readLength(): number | undefined {
    if (!(this.#flags & LONG)) {
      return this.#at < this.#chunk.length ? this.#chunk[this.#at++] : undefined;
    }
    const bytes = this.#take(8);
    if (!bytes) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  }

  /** The next `length` bytes, whole; what there is of them is kept otherwise. */
  #take(length: number): Uint8Array | undefined {
    const left = this.#chunk.length - this.#at;
    if (this.#started === 0 && left >= length) {
      this.#at += length;
      return length === 0 ? NOTHING : this.#chunk.subarray(this.#at - length, this.#at);
    }
    if (left === 0) return undefined;
    const end = Math.min(length, this.#started + left);
    if (this.#start.length < end) {
      const size = Math.min(length, Math.max(end, 2 * this.#start.length, FIRST_BUFFER));
      const grown = new Uint8Array(size);
      grown.set(this.#start.subarray(0, this.#started));
      this.#start = grown;
    }
    const from = this.#at;
    this.#at += end - this.#started;
    this.#start.set(this.#chunk.subarray(from, this.#at), this.#started);
    this.#started = end;
    if (end < length) return undefined;
    const whole = this.#start;
    this.#start = NOTHING;
    this.#started = 0;
    return whole;
  }

  #command(body: Uint8Array): Item {
    const name = 1 + body[0];
    if (body.length === 0 || body[0] === 0 || name > body.length) return this.#fault("bad command");
    return { kind: "command", name: latin1(body.subarray(1, name)), data: body.subarray(name) };
  }

  /** The chunk is used up: frames of an unfinished message are copied out of it. */
  #settle(): undefined {
    this.#chunk = NOTHING;
    this.#at = 0;
    for (; this.#ownParts < this.#parts.length; this.#ownParts++) {
      const part = this.#parts[this.#ownParts];
      if (part.length < part.buffer.byteLength) this.#parts[this.#ownParts] = part.slice();
    }
    return undefined;
  }

  #fault(why: string): Item {
    this.#phase = "fault";
    this.#chunk = this.#start = NOTHING;
    this.#parts = [];
    this.#at = this.#started = this.#partBytes = 0;
    return { kind: "fault", why };
  }
}
