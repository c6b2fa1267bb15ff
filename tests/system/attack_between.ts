/** Somebody on the network between clients and a server, who sees and changes every packet. */

import type { Buffer } from "node:buffer";
import { tcpServer, Wire } from "./attack_wire.ts";

export type Way = "up" | "down";

/** Where a packet is: which connection since the start, and which packet there of that way. */
interface Place {
  readonly way: Way;
  readonly connection: number;
  readonly n: number;
}

/** Hands on what `change` makes of each packet: nothing, one, or more; undefined hangs up. */
export function between(
  to: string,
  change: (packet: Buffer, place: Place) => readonly Uint8Array[] | undefined,
): ReturnType<typeof tcpServer> {
  return tcpServer(async (tcp, connection) => {
    const [down, up] = await Promise.all([Wire.accept(tcp), Wire.open(to)]);
    const end = () => {
      tcp.socket.destroy();
      up?.tcp.socket.destroy();
    };
    if (!down || !up) return end();
    const pump = async (from: Wire, into: Wire, way: Way) => {
      for (let n = 0;; n++) {
        const frames = await from.receive();
        const changed = frames && change(frames[1], { way, connection, n });
        if (!changed) return end();
        for (const packet of changed) await into.send("zg2", packet);
      }
    };
    await Promise.all([pump(down, up, "up"), pump(up, down, "down")]);
  });
}
