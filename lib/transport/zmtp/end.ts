/** What both ends of a connection do alike: greeting, READY, and the commands behind it. */

import type { Socket } from "node:net";
import type { Frames } from "../transport.ts";
import { answerPing, readError, readProperties } from "./codec.ts";
import type { Decoder, Item } from "./decoder.ts";
import { WriteBuffer } from "./write_buffer.ts";

export abstract class End {
  protected readonly socket: Socket;
  protected readonly decoder: Decoder;
  protected readonly writes: WriteBuffer;
  protected state: "greeting" | "ready" | "open" | "gone" = "greeting";
  /** Why it is gone, or will be if its socket closes now. */
  protected why: string;
  /** The other end's version knows PING. */
  protected pings = false;
  /** The last byte of its greeting's padding: libzmq writes one there, our engine none. */
  protected padding = 0;
  /** Items are being taken: what they put is written afterwards. */
  protected working = false;

  constructor(socket: Socket, decoder: Decoder, why: string) {
    this.socket = socket;
    this.decoder = decoder;
    this.why = why;
    this.writes = new WriteBuffer(socket);
    socket.on("data", (chunk) => this.arrived(chunk as unknown as Uint8Array));
    socket.on("error", ({ message }) => {
      if (this.state !== "gone") this.why = message || "cannot connect";
    });
    socket.on("close", () => {
      this.leave(this.why);
      this.closed(this.why);
    });
  }

  /** Ends the connection. */
  abstract cut(why: string): void;
  protected abstract arrived(chunk: Uint8Array): void;
  /** The other end said READY, with these properties, names in lower case. */
  protected abstract welcome(properties: ReadonlyMap<string, string>): void;
  /** The other end said ERROR, and why. */
  protected abstract refused(why: string): void;
  protected abstract deliver(frames: Frames, bytes: number): void;
  protected abstract answer(pong: Uint8Array): void;
  /** The last call. */
  protected abstract closed(why: string): void;

  /** From now on nothing is heard of the other end or said to it. */
  protected leave(why: string): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.why = why;
    this.writes.clear();
  }

  protected take(item: Item): void {
    switch (item.kind) {
      case "message":
        return this.deliver(item.frames, item.bytes);
      case "command":
        return this.#command(item.name, item.data);
      case "greeting":
        this.pings = item.minor > 0;
        this.padding = item.padding;
        this.state = "ready";
        return;
      case "fault":
        return this.cut(item.why);
    }
  }

  #command(name: string, data: Uint8Array): void {
    if (name === "ERROR") return this.refused(readError(data));
    if (this.state !== "open") {
      if (name !== "READY") return this.cut("no READY");
      const properties = readProperties(data);
      return properties ? this.welcome(properties) : this.cut("bad READY");
    }
    if (name === "READY") return this.cut("second READY");
    if (name !== "PING") return; // All others mean nothing here.
    const pong = answerPing(data);
    return pong ? this.answer(pong) : this.cut("bad PING");
  }
}
