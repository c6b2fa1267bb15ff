/**
 * A bot that answers every message that begins with "echo ". Started again it goes on where it was,
 * and answers what came meanwhile, each message once.
 *
 * In a checkout:            deno run -A examples/echo_bot.ts Lab
 * With the npm package:     node echo_bot.ts Lab
 * (Node 22.13 to 22.17:     node --experimental-strip-types echo_bot.ts Lab)
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { connect } from "zgroup";

const HELP = `Usage: echo_bot GROUP [--registry HOST:PORT] [--home DIR] [--name NAME]

Answers "echo TEXT" in a group with TEXT, until Ctrl-C.

  --registry HOST:PORT  where groups are listed, default 127.0.0.1:5555
  --home DIR            who the bot is and how far it has read, default ./echo-bot
  --name NAME           as others see it, default echo`;

/** What was typed; one sentence and exit code 2 where it cannot be used. */
function typed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        registry: { type: "string", default: "127.0.0.1:5555" },
        home: { type: "string", default: "echo-bot" },
        name: { type: "string", default: "echo" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    console.error(
      `echo_bot: ${(error as Error).message.split(". ")[0]}; --help shows what there is`,
    );
    process.exit(2);
  }
}

const { values: { registry, home, name, help }, positionals: [group] } = typed();
if (help || group === undefined) {
  (help ? console.log : console.error)(HELP);
  process.exit(help ? 0 : 2);
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop.abort());

const user = await connect({ home, name, registries: [registry] });
try {
  const { cursor } = await user.join(group);
  // The first time nothing of what was said before is answered.
  const from = cursor === 0 ? "now" : "cursor";
  console.log(`${user.name} listens in ${group}`);
  for await (const entry of user.follow(group, { from, signal: stop.signal })) {
    if (entry.kind === "message" && entry.author !== user.id && entry.text.startsWith("echo ")) {
      // An author has each id once: with the question's own, no answer is there twice.
      await user.send(group, entry.text.slice(5), { mid: entry.mid, within: Infinity });
    }
    user.seen(group, entry.seq, entry.epoch);
  }
} catch (error) {
  if (!stop.signal.aborted) {
    console.error(`echo_bot: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
} finally {
  await user.close();
}
