/** Whether a listening socket of this process still accepts. */

import { connect } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";

/** How long an accept may take, ms. */
const PATIENCE_MS = 1_000;

/**
 * Connects to an own port and waits for a word or an end: either shows that the connection was
 * accepted. `unsure` when no connection could be tried, for want of descriptors above all.
 */
export function knock(host: string, port: number): Promise<"heard" | "unheard" | "unsure"> {
  return new Promise((resolve) => {
    let connected = false;
    const socket = connect({ host: reachable(host), port });
    const end = (what: "heard" | "unheard" | "unsure") => {
      clearTimeout(timer);
      socket.destroy();
      resolve(what);
    };
    const timer = setTimeout(() => end(connected ? "unheard" : "unsure"), PATIENCE_MS);
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
