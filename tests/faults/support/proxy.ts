/** A TCP proxy that can stop forwarding, either way, without closing a connection, or close all. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { Sieve } from "./sieve.ts";

/**
 * Which way is cut: what peers send, what the server sends, both, the packets of the live feed alone;
 * or every connection is broken.
 */
export type Cut = "none" | "up" | "down" | "both" | "feed" | "broken";

/** A connection of a peer, and the proxy's own to the server. */
interface Pair {
  readonly peer: Socket;
  readonly server: Socket;
  readonly sieve: Sieve;
  spared: boolean;
}

/** Forwards the ports of one host to the same ports of another. */
export class Proxy implements AsyncDisposable {
  readonly #from: string;
  readonly #to: string;
  readonly #wire: "zmtp" | "any";
  readonly #servers: Server[] = [];
  readonly #pairs = new Set<Pair>();
  #cut: Cut = "none";

  /** @param wire what is spoken: the feed can be cut from ZMTP alone */
  constructor(from: string, to: string, wire: "zmtp" | "any" = "zmtp") {
    this.#from = from;
    this.#to = to;
    this.#wire = wire;
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

  /** The connections that are there now are never cut: who made them goes on while others cannot. */
  spare(): void {
    for (const pair of this.#pairs) pair.spared = true;
  }

  #accept(peer: Socket, port: number): void {
    const server = connect(port, this.#to);
    const pair: Pair = { peer, server, sieve: new Sieve(), spared: false };
    this.#pairs.add(pair);
    peer.on("data", (data) => void server.write(data));
    server.on("data", (data) => {
      const passed = this.#wire === "zmtp" ? pair.sieve.pass(data) : data;
      if (passed.length > 0) peer.write(passed);
    });
    for (const [one, other] of [[peer, server], [server, peer]]) {
      one.setNoDelay(true);
      one.on("error", () => {});
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    this.#apply(pair);
  }

  #apply({ peer, server, sieve, spared }: Pair): void {
    const cut = spared ? "none" : this.#cut;
    sieve.closed = cut === "feed";
    for (const [socket, way] of [[peer, "up"], [server, "down"]] as const) {
      if (cut === "broken") socket.resetAndDestroy();
      else if (cut === way || cut === "both") socket.pause();
      else socket.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { peer, server } of this.#pairs) {
      for (const socket of [peer, server]) socket.destroy();
    }
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }
}
