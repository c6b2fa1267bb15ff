/**
 * A member that is stopped under load, and readers at a hundredth of the rate: the group's memory
 * stays, the others get their messages as fast as before, and who was stopped gets all.
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../support.ts";
import { usage } from "../support/usage.ts";
import { percentile } from "../support/percentile.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Child } from "./support/children.ts";
import { joined, numbered } from "./support/chat.ts";
import { fault } from "./support/fault.ts";
import { startGroup, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
/** Messages a second, each of a kilobyte. */
const RATE = 1_000;
/** Memory that slow members may cost the group, MB. */
const COST = 20;
/** How much later the others may get their messages, times and ms. */
const LATER = [1.5, 5] as const;

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "data");
  const group = await startGroup(fault, { name: NAME, data, registries });
  const ledger = new Ledger();
  const heads = new Map<string, number>();
  const member = async (name: string, pause: number, after = 0) => {
    const options = JSON.stringify({ registries, group: NAME, name, pause, after });
    const child = new Child("programs/follower.ts", [options], {
      onLine(line) {
        const [word, seq] = line.split(" ");
        if (word === "gap") fault.expect(false, `a gap: ${name} was told ${seq} too early`);
        else heads.set(name, Number(seq));
      },
    });
    fault.onClose(() => child.kill());
    await until(() => heads.has(name), 20_000, `${name} to join`);
    return child;
  };

  // Each message says when it was sent; a follower in this process says how long it took.
  let late: number[] = [];
  const [reader, ...users] = await joined(fault, registries, NAME, ["r", ...numbered("s", 4)]);
  const stop = new AbortController();
  let seen = 0;
  const following = (async () => {
    for await (const { text } of reader.follow(NAME, { after: 0, signal: stop.signal })) {
      if (text === undefined) continue;
      late.push(performance.now() - Number(text.split(" ")[0]));
      seen++;
    }
  })();
  const body = "x".repeat(1_000);
  let sent = 0;
  const sending = setInterval(() => {
    for (let i = 0; i < RATE / 100; i++) {
      const text = `${performance.now()} ${++sent} ${body}`;
      ledger.tried(text);
      void users[sent % users.length].send(NAME, text, { within: Infinity })
        .then(({ mid, seq }) => ledger.ack(mid, seq, text));
    }
  }, 10);
  fault.onClose(() => clearInterval(sending));
  const measure = async (seconds: number) => {
    late = [];
    const memory: number[] = [];
    for (let i = 0; i < seconds * 10; i++) {
      await setTimeout(100);
      memory.push(usage(group.child.pid).memory);
    }
    return { p99: percentile(late, 0.99), memory: percentile(memory, 0.9) };
  };
  // Followers that keep up come before the measure, so that only their slowness is measured.
  const stopped = await member("stopped", 0);
  await measure(fault.size(4, 20));
  const alone = await measure(fault.size(5, 20));

  stopped.signal("SIGSTOP");
  // One reads from the first entry on, the others hear all live until they cannot keep it.
  const froms = [0, ledger.head, ledger.head];
  await Promise.all(froms.map((from, i) => member(`slow ${i}`, (100 * 1_000) / RATE, from)));
  await measure(2);
  const beside = await measure(fault.size(10, 60));
  fault.figure("p99_ms_alone", alone.p99);
  fault.figure("p99_ms_beside", beside.p99);
  fault.figure("group_mb_alone", alone.memory);
  fault.figure("group_mb_more", beside.memory - alone.memory);
  fault.bound(beside.memory - alone.memory <= COST, `slow members cost more than ${COST} MB`);
  const allowed = alone.p99 * LATER[0] + LATER[1];
  fault.bound(beside.p99 <= allowed, `the others' p99 rose from ${alone.p99} to ${beside.p99} ms`);

  clearInterval(sending);
  await until(() => ledger.acked === sent, 20_000, "all to be acknowledged");
  stopped.signal("SIGCONT");
  const begin = performance.now();
  await until(() => heads.get("stopped")! > sent - 50, 60_000, "the stopped member to have all");
  fault.figure("caught_up_ms", performance.now() - begin);
  await until(() => seen === sent, 10_000, "the reader to have all");
  stop.abort();
  await following;
  fault.expect(await group.child.stop() === 0, "the group did not end well");
  ledger.check(await heldBy(data, fault), fault);
});
