/**
 * A small HTTP server: the body of each POST becomes a message of a group.
 *
 * In a checkout:            deno run -A examples/webhook_to_group.ts Lab --port 8080
 * With the npm package:     node webhook_to_group.ts Lab --port 8080
 * (Node 22.13 to 22.17:     node --experimental-strip-types webhook_to_group.ts Lab --port 8080)
 *
 * Then:                     curl --data "the build is green" http://127.0.0.1:8080/
 */

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { connect, Refusal, Unreachable, UsageError } from "zgroup";

const HELP = `Usage: webhook_to_group GROUP [--port PORT] [--registry HOST:PORT] [--home DIR]

Posts the body of each HTTP POST to a group, until Ctrl-C. What is sent again with the same
UUID as its Idempotency-Key is posted once. Whoever reaches the port can post: it is that of
127.0.0.1 alone.

  --port PORT           default 8080
  --registry HOST:PORT  where groups are listed, default 127.0.0.1:5555
  --home DIR            who it is, and what waits to be sent, default ./webhook`;

/** What was typed; one sentence and exit code 2 where it cannot be used. */
function typed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        port: { type: "string", default: "8080" },
        registry: { type: "string", default: "127.0.0.1:5555" },
        home: { type: "string", default: "webhook" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    console.error(
      `webhook_to_group: ${(error as Error).message.split(". ")[0]}; --help shows what there is`,
    );
    process.exit(2);
  }
}

const { values: { port, registry, home, help }, positionals: [group] } = typed();
if (help || group === undefined) {
  (help ? console.log : console.error)(HELP);
  process.exit(help ? 0 : 2);
}

const user = await connect({ home, name: "webhook", registries: [registry] });
await user.join(group);

/** Posts a request; the status and the text of its answer. */
async function post(request: IncomingMessage): Promise<[status: number, said: string]> {
  if (request.method !== "POST") return [405, "POST a text"];
  const key = request.headers["idempotency-key"];
  try {
    const mid = typeof key === "string" ? { mid: key } : {};
    const { seq, duplicate } = await user.send(group, await text(request), mid);
    return [200, JSON.stringify({ seq, duplicate })];
  } catch (error) {
    // It is in the outbox, and goes out when the group answers.
    if (error instanceof Unreachable) return [202, "kept until the group answers"];
    if (error instanceof Refusal || error instanceof UsageError) return [422, error.message];
    return [500, String(error)];
  }
}

const server = createServer(async (request, response) => {
  const [status, said] = await post(request);
  response.writeHead(status).end(`${said}\n`);
});
server.listen(Number(port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ posts to ${group}`);
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close(() => void user.close());
    server.closeIdleConnections();
  });
}
