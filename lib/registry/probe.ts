/** Whether something listens at an address: a TCP connection is made and closed again. */

import { connect } from "node:net";
import { parseAddress } from "../text/addresses.ts";

/** True if a connection was made within `timeout` ms (default 1,000). Never rejects. */
export function isListening(address: string, timeout = 1_000): Promise<boolean> {
  const endpoint = parseAddress(address);
  if (!endpoint) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect({ host: endpoint.host, port: endpoint.port });
    const settle = (listening: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(listening);
    };
    const timer = setTimeout(() => settle(false), timeout);
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
