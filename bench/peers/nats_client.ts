/**
 * NATS's own client as a client program: JetStream, file store; as many replicas as addresses, which
 * are separated by commas.
 */

import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { serveClient } from "../client.ts";

const NAME = "Bench";
let js: ReturnType<typeof jetstream>;
const encoder = new TextEncoder();

await serveClient({
  async connect(address) {
    const nodes = address.split(",");
    const connections = await Promise.all(nodes.map((servers) => connect({ servers })));
    const leader = await openStream(connections[0], nodes.length);
    // Whoever is not asked for the leader would hand each message on to it.
    const chosen = connections.find(({ info }) => info?.server_name === leader) ?? connections[0];
    js = jetstream(chosen, { timeout: 30_000 });
    for (const other of connections) if (other !== chosen) await other.close();
  },
  publish: (text) => js.publish(NAME, encoder.encode(text)),
  since: (time) =>
    consume({
      deliver_policy: DeliverPolicy.StartTime,
      opt_start_time: new Date(time).toISOString(),
    }),
  all: () => consume({ deliver_policy: DeliverPolicy.All }),
});

/** The stream, made where it is not there yet; the name of the server that leads it. */
async function openStream(connection: NatsConnection, replicas: number): Promise<string> {
  const manager = await jetstreamManager(connection, { timeout: 30_000 });
  const config = { name: NAME, subjects: [NAME], num_replicas: replicas };
  const known = await manager.streams.info(NAME).catch(() => undefined);
  const { cluster } = known ?? await manager.streams.add(config);
  return cluster?.leader ?? "";
}

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
