/**
 * Measures zgroup and its peers side by side and prints a table: `deno task bench --help`.
 */

import { parseArgs } from "node:util";
import { endWithUs, installed } from "./processes.ts";
import { header } from "./header.ts";
import { type Result, table } from "./results.ts";
import { fanout } from "./rows/fanout.ts";
import { history } from "./rows/history.ts";
import { idle } from "./rows/idle.ts";
import { latency } from "./rows/latency.ts";
import { publish } from "./rows/publish.ts";
import { scale } from "./rows/scale.ts";
import type { Setting, Wanted } from "./setting.ts";

const HELP = `Usage: deno task bench [ROW …] [--peers nats,redis] [--quick] [--json]

Measures zgroup beside its peers on this machine, on the same work, pair by pair.
ROW is one of: publish fanout latency history scale idle (or one row: publish-256).

  --peers LIST  beside whom, default nats,redis; "none" measures ours alone
  --quick       fewer and shorter rounds: under two minutes in all
  --json        one JSON array instead of the table`;

type Measure = (setting: Setting, wanted: Wanted) => AsyncGenerator<Result>;

const GROUPS: Readonly<Record<string, Measure>> = {
  publish,
  fanout,
  latency,
  history,
  scale,
  idle,
};

/** Runs what is asked for; the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      peers: { type: "string", default: "nats,redis" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const groups = Object.keys(GROUPS).filter((group) =>
    positionals.length === 0 ||
    positionals.some((row) => row === group || row.startsWith(`${group}-`))
  );
  const unknown = positionals.find((row) => !GROUPS[row.split("-")[0]]);
  if (unknown !== undefined) {
    console.error(`Cannot measure "${unknown}": no such row\n\n${HELP}`);
    return 2;
  }
  const setting: Setting = {
    quick: values.quick,
    rounds: values.quick ? 3 : 7,
    peers: await present(values.peers),
    progress: (what) => console.error(`measuring ${what}`),
  };
  const top = `${await header(setting)}\n`;
  if (values.json) console.error(top);
  else console.log(top);
  let broken = false;
  const results: Result[] = [];
  const wanted: Wanted = (row) =>
    positionals.length === 0 ||
    positionals.some((given) => given === row || given === row.split("-")[0]);
  for (const group of groups) {
    try {
      for await (const result of GROUPS[group](setting, wanted)) results.push(result);
    } catch (error) {
      broken = true;
      console.error(`${group} broke: ${error instanceof Error ? error.stack : error}`);
    }
  }
  console.log(values.json ? JSON.stringify(results, null, 2) : table(results));
  return broken ? 1 : 0;
}

/** The peers that are installed; says which are not. */
async function present(list: string): Promise<("nats" | "redis")[]> {
  const found: ("nats" | "redis")[] = [];
  for (const peer of list.split(",")) {
    if (peer === "none" || peer === "") continue;
    if (peer !== "nats" && peer !== "redis") throw new Error(`Cannot compare with "${peer}"`);
    if (await installed(`${peer}-server`)) found.push(peer);
    else console.error(`${peer}-server is not installed: its figures are left out`);
  }
  return found;
}

endWithUs();
Deno.exit(await main(Deno.args));
