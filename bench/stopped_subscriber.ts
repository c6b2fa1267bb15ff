/**
 * `deno run -A bench/stopped_subscriber.ts [SECONDS]`: what a member that stands still costs.
 *
 * 1,000 messages a second; after a while one of the `user.ts follow` processes is stopped with
 * SIGSTOP for 60 s, then goes on. Exit code 1 when the group's memory grows by 20 MiB or more
 * meanwhile, when the others' p99 gets worse by half and 10 ms, or when a message is missing in the
 * end.
 */

import process from "node:process";
import { connect } from "../mod.ts";
import { setTimeout as pause } from "node:timers/promises";
import { Folder } from "../tests/support/folder.ts";
import { percentile } from "../tests/support/percentile.ts";
import type { Process } from "../tests/support/process.ts";
import { usage } from "../tests/support/usage.ts";
import { endWithUs } from "./processes.ts";
import { openScreen, type Shown } from "./screens.ts";
import { NAME, startSide } from "./servers.ts";

const SECONDS = Number(process.argv[2] ?? 60);
/** The group's memory settles first. */
const WARM = Math.max(10, SECONDS / 2);
const RATE = 1_000;
const TICK = 10;
const MEMORY = 20;

endWithUs();
await using group = await startSide("ours");
await using folder = new Folder();
await using alice = await connect({ name: "alice", registries: [group.address] });
await alice.join(NAME);

/** What a screen has shown: the last seq, how many messages, and the delays of one phase. */
class Watch {
  last = 0;
  count = 0;
  holes = 0;
  spans: number[] = [];

  show({ seq, text }: Shown, at: number): void {
    if (seq !== this.last + 1) this.holes++;
    this.last = seq;
    if (!text) return;
    this.count++;
    this.spans.push(at - Number(text.split(" ")[0]));
  }
}

const watches = Array.from({ length: 3 }, () => new Watch());
await using stack = new AsyncDisposableStack();
const screens: Process[] = [];
for (const [i, watch] of watches.entries()) {
  const home = `${folder.path}/${i}`;
  const show = watch.show.bind(watch);
  screens.push(
    stack.use(await openScreen({ registry: group.address, group: NAME, home, show })),
  );
}
const [stopped, ...others] = watches;

let sent = 0;
let sending = true;
const failures: unknown[] = [];
const load = (async () => {
  const begun = performance.now();
  while (sending) {
    for (const due = (performance.now() - begun) / 1_000 * RATE; sent < due; sent++) {
      const now = performance.timeOrigin + performance.now();
      alice.send(NAME, `${now} ${"x".repeat(80)}`).catch((error) => failures.push(error));
    }
    await pause(TICK);
  }
})();

/** Delays of the others over some seconds, and the group's memory at its highest, MiB. */
async function phase(name: string, seconds: number) {
  for (const watch of others) watch.spans = [];
  let memory = 0;
  for (const end = performance.now() + seconds * 1_000; performance.now() < end;) {
    memory = Math.max(memory, usage(group.pid).memory);
    await pause(500);
  }
  const spans = others.flatMap(({ spans }) => spans);
  const found = { p50: percentile(spans, 0.5), p99: percentile(spans, 0.99), memory };
  console.log(
    `${name}: p50 ${found.p50.toFixed(1)} ms, p99 ${found.p99.toFixed(1)} ms, ` +
      `group up to ${memory.toFixed(1)} MiB, others at ${others.map(({ last }) => last).join(" ")}`,
  );
  return found;
}

await phase("warming up", WARM);
const before = await phase("all run", WARM);
screens[0].signal("SIGSTOP");
const stoppedAt = stopped.last;
const during = await phase("one stopped", SECONDS);
console.log(`the stopped one has shown ${stoppedAt}, missed ${sent - stopped.count}`);
screens[0].signal("SIGCONT");
const back = performance.now();
const mark = sent;
while (stopped.count < mark && performance.now() - back < 60_000) await pause(10);
const caughtUp = performance.now() - back;
sending = false;
await load;
for (const end = performance.now() + 20_000; watches.some(({ count }) => count < sent);) {
  if (performance.now() > end) break;
  await pause(10);
}
const growth = during.memory - before.memory;
const whole = watches.every(({ count, holes }) => count === sent && holes === 0);
console.log(
  `after SIGCONT it had caught up in ${(caughtUp / 1_000).toFixed(2)} s; ` +
    `${sent} sent, shown ${watches.map(({ count }) => count).join(" ")}, ` +
    `${watches.reduce((sum, { holes }) => sum + holes, 0)} holes, ${failures.length} failed`,
);
console.log(`the group's memory grew by ${growth.toFixed(1)} MiB (limit ${MEMORY})`);
const slower = during.p99 > before.p99 * 1.5 + 10;
const good = whole && growth < MEMORY && !slower && failures.length === 0;
if (!good) console.log("VIOLATED");
process.exitCode = good ? 0 : 1;
