/**
 * Hands each message of a group to an HTTP server, in order, and tries again until the server has it
 * or refuses it. Started again it goes on where it was.
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

POSTs each message of a group to URL as JSON: group, seq, name, text and time, with the
author's and the message's id as Idempotency-Key. A server that does not answer, or answers 408, 429
or 5xx, is asked again, until Ctrl-C; what it refuses with another 4xx is told and left out.

  --registry HOST:PORT  where groups are listed, default 127.0.0.1:5555
  --home DIR            who it is and how far it came, default ./to-webhook`;

/** What was typed; one sentence and exit code 2 where it cannot be used. */
function typed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        registry: { type: "string", default: "127.0.0.1:5555" },
        home: { type: "string", default: "to-webhook" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    console.error(
      `group_to_webhook: ${(error as Error).message.split(". ")[0]}; --help shows what there is`,
    );
    process.exit(2);
  }
}

const { values: { registry, home, help }, positionals: [group, url] } = typed();
if (help || group === undefined || url === undefined) {
  (help ? console.log : console.error)(HELP);
  process.exit(help ? 0 : 2);
}

const stop = new AbortController();
const { signal } = stop;
for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => stop.abort());

/** Resolves when the server has it, or refuses it; asks again after 1 s, 2 s, … up to a minute. */
async function deliver(entry: MessageEntry): Promise<void> {
  const { seq, author, name, text, at, mid } = entry;
  const body = JSON.stringify({ group, seq, name, text, at: new Date(at).toISOString() });
  // Each author has a mid once, but two may have the same.
  const key = `${author}/${mid}`;
  const headers = { "content-type": "application/json", "idempotency-key": key };
  for (let wait = 1_000;; wait = Math.min(2 * wait, 60_000)) {
    const response = await fetch(url, { method: "POST", headers, body, signal })
      .then(async (response) => (await response.text(), response))
      .catch((error: Error) => error);
    signal.throwIfAborted();
    const said = response instanceof Error ? response.message : `status ${response.status}`;
    if (response instanceof Response) {
      if (response.ok) return;
      const { status } = response;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
        console.error(`message ${seq}: ${said}; left out`);
        return;
      }
    }
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
