/** Members that are there and say nothing: each a connection for requests, one for the live feed. */

import { newSigningKey } from "../../lib/identity/keys.ts";
import { program } from "../programs.ts";
import { NAME, type SideName } from "../servers.ts";
import { CONNECT, encodeSubscribe, messageParser, PING, PONG } from "../wire/nats.ts";
import { counter, dial, pump, writeAll } from "../wire/scan.ts";
import { concat, ZmtpConnection } from "../wire/zmtp.ts";
import { findGroup, openSession, RawRequester } from "./session.ts";

/** Members that join at once. */
const LANES = 16;

await program({
  async connect({ side, address, members }: { side: SideName; address: string; members: number }) {
    let left = members;
    const one = side === "nats" ? subscribeNats : await memberOf(address);
    const lane = async () => {
      while (left-- > 0) await one(address);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  },
});

async function memberOf(registry: string): Promise<() => Promise<void>> {
  const { address } = await findGroup(registry, NAME);
  return async () => {
    const requester = await RawRequester.open(address);
    const { session } = await openSession(requester.ask, newSigningKey());
    const { live, token } = await requester.ask("subscribe", { session });
    const feed = await ZmtpConnection.open(String(live), "SUB", () => true);
    await feed.subscribe(String(token));
  };
}

async function subscribeNats(address: string): Promise<void> {
  const connection = await dial(address);
  const ponged = Promise.withResolvers<void>();
  const parse = messageParser(() => void writeAll(connection, PONG), ponged.resolve);
  void pump(connection, counter(parse, () => {}));
  await writeAll(connection, concat([CONNECT, encodeSubscribe(NAME), PING]));
  await ponged.promise;
}
