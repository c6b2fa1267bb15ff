/**
 * Measures zgroup and its peers side by side and prints a table: `deno task bench --help`.
 */

import { parseArgs } from "node:util";
import process from "node:process";
import { availablePostgres } from "../tests/support/postgres.ts";
import { endWithUs, versionOf } from "./processes.ts";
import { header } from "./header.ts";
import { readme } from "./readme.ts";
import { differences, type Result, table } from "./results.ts";
import { crowd } from "./rows/crowd.ts";
import { failover } from "./rows/failover.ts";
import { fanout } from "./rows/fanout.ts";
import { handshakes } from "./rows/handshakes.ts";
import { history } from "./rows/history.ts";
import { idle } from "./rows/idle.ts";
import { latency } from "./rows/latency.ts";
import { publish } from "./rows/publish.ts";
import { relay } from "./rows/relay.ts";
import { replicated } from "./rows/replicated.ts";
import { scale } from "./rows/scale.ts";
import { start } from "./rows/start.ts";
import type { Setting, Wanted } from "./setting.ts";
import { BEFORE, checkOut, type OldTree } from "./trees.ts";
import { keepVerdict, linesOf, runEach } from "../scripts/verdict.ts";

const HELP = `Usage: deno task bench [ROW …] [--before REV] [--peers nats,redis] [--quick] [--json]

Measures zgroup beside the version before and its peers on this machine, on the same work, pair by
pair. ROW is one of: publish fanout latency history scale idle start handshakes crowd replicated
failover relay (or one row: publish-256).

  --before REV  the version before, a commit of this repository, default ${BEFORE}; "none" leaves
                it out
  --peers LIST  beside whom, default nats,redis; "none" measures without
  --quick       fewer and shorter rounds: under four minutes in all
  --json        one JSON array instead of the tables
  --readme      put the tables into bench/README.md, too
  --again       a row that breaks is measured once more, and named as flaky if it does not then
  --report FILE which rows broke, as JSON`;

type Measure = (setting: Setting, wanted: Wanted) => AsyncGenerator<Result>;

const GROUPS: Readonly<Record<string, Measure>> = {
  publish,
  fanout,
  latency,
  history,
  scale,
  idle,
  start,
  handshakes,
  crowd,
  replicated,
  failover,
  relay,
};

/** Why a row cannot be measured here; undefined where it can. */
const MISSING: Readonly<Record<string, () => string | undefined>> = {
  replicated: availablePostgres,
  failover: availablePostgres,
  relay: availablePostgres,
};

/** Runs what is asked for; the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      before: { type: "string", default: BEFORE },
      peers: { type: "string", default: "nats,redis" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      readme: { type: "boolean", default: false },
      again: { type: "boolean", default: false },
      report: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const unknown = positionals.find((row) => !GROUPS[row.split("-")[0]]);
  if (unknown !== undefined) {
    console.error(`Cannot measure "${unknown}": no such row\n\n${HELP}`);
    return 2;
  }
  const peers = await present(values.peers);
  await using before = await formerly(values.before);
  const { quick } = values;
  const setting: Setting = {
    ...{ quick, rounds: quick ? 2 : 7, before, peers },
    progress: (what) => console.error(`measuring ${what}`),
  };
  const head = await header(setting);
  if (values.json) console.error(head);
  else console.log(`${head}\n`);
  const { results, verdict } = await measure(setting, positionals, values.again);
  if (values.json) console.log(JSON.stringify(results, null, 2));
  else {
    const less = before ? `\n\n${differences(results)}` : "";
    console.log(table(results) + less);
  }
  if (values.readme) await readme(head, results);
  if (verdict.failed.length + verdict.flaky.length > 0) console.error(linesOf(verdict).join("\n"));
  keepVerdict(values.report, verdict);
  return verdict.failed.length > 0 ? 1 : 0;
}

/** All that was asked for; what breaks is told, and the rest goes on. */
async function measure(setting: Setting, rows: readonly string[], again: boolean) {
  const groups = Object.keys(GROUPS).filter((group) =>
    rows.length === 0 || rows.some((row) => row === group || row.startsWith(`${group}-`))
  );
  const wanted: Wanted = (row) =>
    rows.length === 0 || rows.some((given) => given === row || given === row.split("-")[0]);
  const results = new Map<string, Result[]>(groups.map((group) => [group, []]));
  const verdict = await runEach(groups, async (group) => {
    const found: Result[] = [];
    const missing = MISSING[group]?.();
    if (missing !== undefined) {
      console.error(`${group} is skipped: ${missing}`);
      return { skipped: missing };
    }
    try {
      for await (const result of GROUPS[group](setting, wanted)) found.push(result);
      return "passed";
    } catch (error) {
      console.error(`${group} broke: ${error instanceof Error ? error.stack : error}`);
      return "failed";
    } finally {
      results.set(group, found);
    }
  }, { again });
  return { results: [...results.values()].flat(), verdict };
}

/** The version before; says so when it is left out. */
async function formerly(revision: string): Promise<OldTree | undefined> {
  if (revision === "none") return undefined;
  const before = await checkOut(revision);
  if (!before) console.error(`This clone has no commit ${revision}: its figures are left out`);
  return before;
}

/** The peers that are installed; says which are not. */
async function present(list: string): Promise<("nats" | "redis")[]> {
  const found: ("nats" | "redis")[] = [];
  for (const peer of list.split(",")) {
    if (peer === "none" || peer === "") continue;
    if (peer !== "nats" && peer !== "redis") throw new Error(`Cannot compare with "${peer}"`);
    if (await versionOf(`${peer}-server`)) found.push(peer);
    else console.error(`${peer}-server is not installed: its figures are left out`);
  }
  return found;
}

endWithUs();
process.exit(await main(process.argv.slice(2)));
