/** NATS's own client as a client program: JetStream, file store, one replica. */

import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { serveClient } from "../client.ts";

const NAME = "Bench";
let js: ReturnType<typeof jetstream>;
const encoder = new TextEncoder();

await serveClient({
  async connect(servers) {
    const connection = await connect({ servers });
    js = jetstream(connection, { timeout: 30_000 });
    const manager = await jetstreamManager(connection);
    const known = await manager.streams.info(NAME).catch(() => undefined);
    if (!known) await manager.streams.add({ name: NAME, subjects: [NAME] });
  },
  publish: (text) => js.publish(NAME, encoder.encode(text)),
  since: (time) =>
    consume({
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: new Date(time).toISOString(),
    }),
  all: () => consume({ deliver_policy: DeliverPolicy.All }),
});

/** Reads until nothing is pending. */
async function consume(options: object): Promise<number> {
  const consumer = await js.consumers.get(NAME, options);
  const messages = await consumer.consume({ max_messages: 1_000 });
  let count = 0;
  for await (const message of messages) {
    count++;
    if (message.info.pending === 0) break;
  }
  await messages.close();
  return count;
}
