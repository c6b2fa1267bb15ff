/** Members that are there, follow the live feed, and say nothing. */

import { program } from "../programs.ts";
import { type Measured, NAME } from "../servers.ts";
import { CONNECT, encodeSubscribe, messageParser, PING, PONG } from "../wire/nats.ts";
import { counter, dial, pump, writeAll } from "../wire/scan.ts";
import { concat } from "../wire/zmtp.ts";
import { findGroup, openMember } from "./session.ts";

/** Members that join at once. */
const LANES = 16;

await program({
  /** `server`: of ours, a group's server in place of the one that the registry at `address` names. */
  async connect(
    { side, address, server, members }: {
      readonly side: Measured;
      readonly address: string;
      readonly server?: string;
      readonly members: number;
    },
  ) {
    let left = members;
    const one = side === "nats"
      ? subscribeNats
      : memberOf(server ?? (await findGroup(address, NAME)).address);
    const lane = async () => {
      while (left-- > 0) await one(address);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  },
});

function memberOf(address: string): () => Promise<void> {
  return async () => {
    const { session } = await openMember(address);
    await session.ask("subscribe");
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
