/**
 * `deno run -A bench/live_latency.ts [SECONDS]`: from one person's send to another's screen.
 *
 * 50 messages a second in an encrypted group of 200 members; the screen is the standard output of
 * `user.ts follow`. Exit code 1 when p50 is not below 10 ms or p99 not below 50 ms.
 */

import process from "node:process";
import { connect } from "../mod.ts";
import { setTimeout as pause } from "node:timers/promises";
import { Folder } from "../tests/support/folder.ts";
import { percentile } from "../tests/support/percentile.ts";
import { endWithUs } from "./processes.ts";
import { Program } from "./programs.ts";
import { openScreen } from "./screens.ts";
import { NAME, startSide } from "./servers.ts";

const SECONDS = Number(process.argv[2] ?? 30);
const RATE = 50;
const MEMBERS = 200;
const WARM = 2;
const GOALS = { p50: 10, p99: 50 };

endWithUs();
await using group = await startSide("ours");
await using folder = new Folder();
await using alice = await connect({ name: "alice", registries: [group.address] });
await alice.join(NAME);
// All but the sender and the person at the screen.
await using members = new Program({ file: "load/members.ts" });
await members.ask("connect", {
  side: "ours",
  address: group.address,
  members: MEMBERS - 2,
});

const spans: number[] = [];
const now = () => performance.timeOrigin + performance.now();
let shown = 0;
await using _screen = await openScreen({
  registry: group.address,
  group: NAME,
  home: `${folder.path}/bob`,
  show({ text }, at) {
    if (!text) return;
    const [n, sent] = text.split(" ").map(Number);
    shown++;
    if (n >= WARM * RATE) spans.push(at - sent);
  },
});
while (shown === 0) {
  await alice.send(NAME, `0 ${now()}`);
  await pause(100);
}
const before = shown;
const total = (WARM + SECONDS) * RATE;
const sending: Promise<unknown>[] = [];
const begun = performance.now();
for (let n = 0; n < total; n++) {
  await pause(Math.max(0, begun + n * 1_000 / RATE - performance.now()));
  sending.push(alice.send(NAME, `${n} ${now()} ${"x".repeat(60)}`));
}
await Promise.all(sending);
for (const end = performance.now() + 10_000; shown - before < total; await pause(10)) {
  if (performance.now() > end) throw new Error(`Only ${shown - before} of ${total} were shown`);
}
const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(spans, share));
const good = p50 < GOALS.p50 && p99 < GOALS.p99;
console.log(
  `send to screen, ${RATE} messages/s, ${MEMBERS} members, ${spans.length} messages: ` +
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms` +
    `${good ? "" : ` — MISSED p50 ${GOALS.p50}, p99 ${GOALS.p99}`}`,
);
process.exitCode = good ? 0 : 1;
