/** ZMTP 3.1 over `node:net`: the engine that programs use. */

import type { Transport } from "../transport.ts";
import { ZmtpChannel } from "./client.ts";
import { ZmtpServer } from "./server.ts";

/**
 * Our own engine. Peers are any sockets of ZMTP 3: a server takes DEALER, REQ and ROUTER, a channel
 * talks to ROUTER and REP (a DEALER to another one as well). No encryption: mechanism NULL.
 *
 * What is sent in one turn of the event loop leaves together. Frames that are handed over are views
 * of what arrived: copy what is kept for long. Every open server and channel keeps the program
 * alive.
 */
export function zmtpTransport(): Transport {
  return ENGINE;
}

const ENGINE: Transport = {
  name: "zmtp",
  watchful: true,
  serve: (options) => ZmtpServer.open(options),
  connect: (options) => new ZmtpChannel(options),
};
