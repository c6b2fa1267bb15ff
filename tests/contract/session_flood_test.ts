import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { newSigningKey, userId } from "../../lib/identity/keys.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { KIND } from "../../lib/session/packet.ts";
import { ticketBytes } from "../../lib/session/ticket.ts";
import type { Channel } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import { checkWatchful, proofOf, World } from "./session.ts";

/** Strangers who say hello again and again: more than there is room for. */
const STRANGERS = 600;

await checkWatchful(
  "who has a ticket comes in while strangers flood, and they take their share alone",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    let answered = 0;
    const hello = Uint8Array.of(KIND.hello, ...randomBytes(32));
    const strangers = Array.from({ length: STRANGERS }, () => {
      const channel: Channel = transport.connect({
        address: world.address,
        onConnected: () => void channel.send([MAGIC, hello]),
        onMessage: ([, packet]) => {
          if (packet[0] === KIND.answer) answered++;
          channel.send([MAGIC, hello]);
        },
      });
      return keep(channel);
    });
    assert.equal(strangers.length, STRANGERS);
    await until(() => answered > STRANGERS, 20_000, "the flood");

    const user = newSigningKey();
    const ticket = ticketBytes(world.tickets.issue(userId(user.publicKey)));
    const first: number[] = [];
    for (let i = 0; i < 10; i++) {
      const before = answered;
      const client = world.client(transport, { prove: proofOf(user), ticket: () => ticket });
      await client.opened(5_000);
      first.push(answered - before);
      await client.close();
    }
    // Half of them: a busy machine may hold up the client itself.
    const [, , , , usual] = first.toSorted((a, b) => a - b);
    assert.ok(usual < STRANGERS / 4, `${usual} strangers came first`);

    const { counts } = world.server.accounts;
    assert.ok((counts.get("handshake: put off") ?? 0) > 0, "all strangers found room");
    assert.deepEqual(world.warned, []);
  },
);
