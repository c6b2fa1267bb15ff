/**
 * Hands each message of a group to an HTTP server, in order, and tries again until the server has
 * it. Started again it goes on where it was.
 *
 * In a checkout:            deno run -A examples/group_to_webhook.ts Lab http://127.0.0.1:9000/
 * With the npm package:     node group_to_webhook.ts Lab http://127.0.0.1:9000/
 * (Node 22.13 to 22.17:     node --experimental-strip-types group_to_webhook.ts …)
 */

import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, type MessageEntry } from "zgroup";

const HELP = `Usage: group_to_webhook GROUP URL [--registry HOST:PORT] [--home DIR]

POSTs each message of a group to URL as JSON: group, seq, name, text and time, with the message
id as Idempotency-Key. A server that does not answer 2xx is asked again, until Ctrl-C.

  --registry HOST:PORT  where groups are listed, default 127.0.0.1:5555
  --home DIR            who it is and how far it came, default ./to-webhook`;

const { values: { registry, home, help }, positionals: [group, url] } = parseArgs({
  allowPositionals: true,
  options: {
    registry: { type: "string", default: "127.0.0.1:5555" },
    home: { type: "string", default: "to-webhook" },
    help: { type: "boolean", short: "h" },
  },
});
if (help || group === undefined || url === undefined) {
  console.log(HELP);
  process.exit(help ? 0 : 2);
}

const stop = new AbortController();
const { signal } = stop;
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => stop.abort());

/** Resolves when the server has it; asks again after 1 s, 2 s, 4 s, … up to a minute. */
async function deliver(entry: MessageEntry): Promise<void> {
  const { seq, name, text, at, mid } = entry;
  const body = JSON.stringify({ group, seq, name, text, at: new Date(at).toISOString() });
  const headers = { "content-type": "application/json", "idempotency-key": mid };
  for (let wait = 1_000;; wait = Math.min(2 * wait, 60_000)) {
    const said = await fetch(url, { method: "POST", headers, body, signal })
      .then(async (response) => (await response.text(), response.ok) || `status ${response.status}`)
      .catch((error: Error) => error.message);
    if (said === true) return;
    signal.throwIfAborted();
    console.error(`message ${seq}: ${said}; again in ${wait / 1_000} s`);
    await pause(wait, undefined, { signal });
  }
}

const user = await connect({ home, name: "to-webhook", registries: [registry] });
try {
  const { cursor } = await user.join(group);
  console.log(`messages of ${group} go to ${url}`);
  const from = cursor === 0 ? "now" : "cursor";
  for await (const entry of user.follow(group, { from, signal })) {
    if (entry.kind === "message") await deliver(entry);
    user.seen(group, entry.seq, entry.epoch);
  }
} catch (error) {
  if (!signal.aborted) {
    console.error(`group_to_webhook: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
} finally {
  await user.close();
}
