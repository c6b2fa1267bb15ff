/**
 * What strangers cost members: `deno run -A bench/attack.ts [--seconds N]`.
 *
 * A group and the attackers are processes of their own. A member sends, hears itself and sends
 * again; the table says how long that took, first undisturbed, then under each flood.
 */

import { parseArgs } from "node:util";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { connect } from "../mod.ts";
import { Chatter, percentile, processWorld, residentMiB } from "../tests/system/attack_world.ts";
import { ours, Process } from "../tests/system/processes.ts";
import { closing } from "../tests/support.ts";

const FLOODS = [
  ["", "door", "undisturbed"],
  ["more-curve", "door", "endless MORE at the door, CURVE"],
  ["more-small", "door", "endless tiny MORE at the door, CURVE"],
  ["more-curve", "address", "handshakes with an unadmitted key"],
  ["more-null", "door", "handshakes without CURVE at the door"],
  ["more-fake", "address", "rubbish after a greeting"],
  ["garbage", "door", "garbage connections at the door"],
  ["idle", "door", "3,000 idle connections"],
] as const;

const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" } } });
const ms = Number(values.seconds) * 1_000;
const home = mkdtempSync(join(tmpdir(), "zgroup-attack-"));

await closing(async (keep) => {
  const { record, registry, pid } = await processWorld(keep, home);
  const user = await connect({ name: "alice", registries: [registry] });
  await user.join("Lab");
  const chatter = keep(new Chatter(user, 5));
  await chatter.start();
  console.log(`${"flood".padEnd(40)}   p50 ms   p99 ms   max ms  messages  peak MiB`);
  for (const [kind, where, what] of FLOODS) {
    const from = chatter.delays.length;
    let highest = 0;
    const look = setInterval(() => (highest = Math.max(highest, residentMiB(pid))), 20);
    if (kind === "") await setTimeout(ms);
    else {
      const args = [kind, record[where], record.curve, String(ms)];
      await using attacker = new Process(ours("tests/system/attacker.ts", ...args));
      await attacker.line(/^DONE/, ms + 15_000);
    }
    clearInterval(look);
    const delays = chatter.delays.slice(from);
    const columns = [percentile(delays, 0.5), percentile(delays, 0.99), Math.max(...delays)];
    console.log(
      what.padEnd(40) + columns.map((n) => n.toFixed(1).padStart(9)).join("") +
        String(delays.length).padStart(10) + highest.toFixed(0).padStart(10),
    );
  }
}).finally(() => rmSync(home, { recursive: true, force: true }));
