/**
 * `deno run -A bench/attack.ts [SECONDS]`: what strangers cost members.
 *
 * A group and the attackers are processes of their own. A member sends, hears itself and sends
 * again; the table says how long that took, first undisturbed, then under each flood.
 */

import process from "node:process";
import { connect, type User } from "../mod.ts";
import { findGroup } from "./load/session.ts";
import { setTimeout as pause } from "node:timers/promises";
import { percentile } from "../tests/support/percentile.ts";
import { usage } from "../tests/support/usage.ts";
import { endWithUs } from "./processes.ts";
import { Program } from "./programs.ts";
import { NAME, startGroup } from "./servers.ts";

const SECONDS = Number(process.argv[2] ?? 10);
/** Between a message heard and the next one, ms. */
const PAUSE = 5;

const FLOODS = [
  ["none", "none"],
  ["more", "endless MORE"],
  ["small", "endless tiny MORE"],
  ["hello", "connections that say hello once"],
  ["hellos", "hello without a pause"],
  ["ping", "PING without a pause"],
  ["rubbish", "rubbish after a greeting"],
  ["garbage", "garbage connections"],
  ["idle", "3,000 idle connections"],
] as const;

endWithUs();
await using group = await startGroup();
const { address } = await findGroup(group.address, NAME);
await using user = await connect({ name: "alice", registries: [group.address] });
const joined = await user.join(NAME);
const stop = new AbortController();
/** How long each message took to come back, ms. */
let delays: number[] = [];
const chatting = chat(user, joined.unread);

console.log("| flood | p50 ms | p99 ms | max ms | messages heard | connections | peak MiB |");
console.log("|---|--:|--:|--:|--:|--:|--:|");
for (const [kind, what] of FLOODS) {
  delays = [];
  let highest = 0;
  const look = setInterval(() => highest = Math.max(highest, usage(group.pid).memory), 20);
  let made = 0;
  if (kind === "none") await pause(SECONDS * 1_000);
  else {
    await using attacker = new Program({ file: "load/attacker.ts" });
    const done = await attacker.ask("flood", { kind, address, seconds: SECONDS });
    made = Number(done.made);
  }
  clearInterval(look);
  const times = [0.5, 0.99, 1].map((share) => percentile(delays, share).toFixed(1));
  const cells = [what, ...times, delays.length, made, highest.toFixed(0)];
  console.log(`| ${cells.join(" | ")} |`);
  if (group.ended()) throw new Error("The group has ended");
}
stop.abort();
await chatting;

async function chat(user: User, after: number): Promise<void> {
  const say = () => void user.send(NAME, `${performance.now()}`).catch(() => {});
  say();
  for await (const { text } of user.follow(NAME, { after, signal: stop.signal })) {
    if (text === undefined) continue;
    delays.push(performance.now() - Number(text));
    await pause(PAUSE);
    say();
  }
}
