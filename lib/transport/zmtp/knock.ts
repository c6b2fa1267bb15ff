/** Whether a listening socket of this process still accepts. */

import { connect } from "node:net";
import { startTicking, stopTicking, TICK_MS } from "../ticker.ts";

/** How long an accept may take, in ticks: while this program stands still, it accepts nobody. */
const PATIENCE = 1_000 / TICK_MS;

/**
 * Connects to an own port and waits for a word or an end: either shows that the connection was
 * accepted. `unsure` when no connection could be tried, for want of descriptors above all.
 */
export function knock(host: string, port: number): Promise<"heard" | "unheard" | "unsure"> {
  return new Promise((resolve) => {
    let connected = false;
    let ticks = 0;
    const socket = connect({ host: reachable(host), port });
    const end = (what: "heard" | "unheard" | "unsure") => {
      stopTicking(patience);
      socket.destroy();
      resolve(what);
    };
    const patience = {
      tick: () => ++ticks > PATIENCE && end(connected ? "unheard" : "unsure"),
    };
    startTicking(patience);
    socket.on("connect", () => connected = true);
    socket.on("data", () => end("heard"));
    socket.on("end", () => end("heard"));
    socket.on("error", (error) => {
      const refused = (error as { code?: string }).code === "ECONNREFUSED";
      end(connected ? "heard" : refused ? "unheard" : "unsure");
    });
  });
}

function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return /^[0:]+$/.test(host) ? "::1" : host;
}
