/** A TCP proxy that can stop forwarding, either way, without closing a connection, or close all. */

import { connect, createServer, type Server, type Socket } from "node:net";

/** Which way is cut: what peers send, what the server sends, both; or every connection is broken. */
export type Cut = "none" | "up" | "down" | "both" | "broken";

/** Forwards the ports of one host to the same ports of another. */
export class Proxy implements AsyncDisposable {
  readonly #from: string;
  readonly #to: string;
  readonly #servers: Server[] = [];
  readonly #pairs = new Set<readonly [peer: Socket, server: Socket]>();
  #cut: Cut = "none";

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  /** Listens on a port of its host; forwards from then on. */
  async forward(port: number): Promise<void> {
    const server = createServer((peer) => this.#accept(peer, port));
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, this.#from, resolve);
    });
  }

  /** From now on nothing passes that way; what is sent meanwhile waits, as TCP would keep it. */
  cut(cut: Cut): void {
    this.#cut = cut;
    for (const pair of this.#pairs) this.#apply(pair);
  }

  #accept(peer: Socket, port: number): void {
    const server = connect(port, this.#to);
    const pair = [peer, server] as const;
    this.#pairs.add(pair);
    for (const [one, other] of [[peer, server], [server, peer]]) {
      one.setNoDelay(true);
      one.on("data", (data) => void other.write(data));
      one.on("error", () => {});
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    this.#apply(pair);
  }

  #apply([peer, server]: readonly [Socket, Socket]): void {
    for (const [socket, way] of [[peer, "up"], [server, "down"]] as const) {
      if (this.#cut === "broken") socket.resetAndDestroy();
      else if (this.#cut === way || this.#cut === "both") socket.pause();
      else socket.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }
}
