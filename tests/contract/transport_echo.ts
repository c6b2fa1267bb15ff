/** An echo server as a program: `transport_echo.ts CONNECTIONS`. Prints its address. */

import process from "node:process";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";

// Deno's own watch of signals needs a descriptor at its first use, and ends the program without one.
process.on("SIGUSR2", () => {});
const server = await zmtpTransport().serve({
  address: "127.0.0.1:0",
  bounds: { ...DEFAULT_BOUNDS, connections: Number(process.argv[2]), admitWithin: 60_000 },
  onMessage(peer, frames) {
    peer.admit();
    const what = String.fromCharCode(...frames[0]);
    if (what === "throw") throw new Error("oops");
    if (what === "reject") return Promise.reject(new Error("oops"));
    const { user, system } = process.cpuUsage();
    peer.send(what === "cpu" ? [String((user + system) / 1_000)] : frames);
  },
});
console.log(server.address);
