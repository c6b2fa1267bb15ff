/**
 * SIGKILL to the group at random moments under eight senders, and start it again: what was
 * acknowledged is there, once, at its seq; seqs have no gap; followers saw what the log holds; the
 * server answers within 2 s of its start.
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../support.ts";
import { percentile } from "../support/percentile.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Follower, joined, numbered, Sender } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { answers, startGroup, startRegistry } from "./support/servers.ts";

/** Groups killed side by side, so that one may start while another works. */
const LANES = 4;
const SENDERS = 8;
/** I5: the server answers again within this, ms. */
const ANSWERS_WITHIN = 2_000;

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const kills = fault.size(24, 1_000);
  const back: number[] = [];
  const acks: number[] = [];
  const lanes = Array.from(
    { length: LANES },
    (_, lane) =>
      runLane(fault, registries[0], `Lane ${lane}`, Math.ceil(kills / LANES), back, acks),
  );
  await Promise.all(lanes);
  fault.figure("answers_ms_p50", percentile(back, 0.5));
  fault.figure("answers_ms_max", Math.max(...back));
  fault.figure("first_ack_ms_p50", percentile(acks, 0.5));
  fault.figure("first_ack_ms_max", Math.max(...acks));
  fault.bound(Math.max(...back) <= ANSWERS_WITHIN, `no answer within ${ANSWERS_WITHIN} ms`);
});

async function runLane(
  fault: Fault,
  registry: string,
  name: string,
  kills: number,
  back: number[],
  acks: number[],
): Promise<void> {
  const registries = [registry];
  const data = join(fault.folder, encodeURIComponent(name));
  const group = await startGroup(fault, { name, data, registries });
  const ledger = new Ledger();
  const users = await joined(fault, registries, name, numbered(`${name} sender`, SENDERS));
  const senders = users.map((user) => new Sender(user, name, ledger, () => fault.int(0, 10)));
  const followers = (await joined(fault, registries, name, numbered(`${name} follower`, 2)))
    .map((user) => new Follower(user));
  for (const follower of followers) follower.start(name);
  for (const sender of senders) sender.start();
  let started = 0;
  for (const sender of senders) {
    sender.onAck = () => {
      if (started > 0) acks.push(performance.now() - started);
      started = 0;
    };
  }
  for (let i = 0; i < kills; i++) {
    const before = ledger.acked;
    // Most die at work, some while they start.
    if (fault.random(0, 1) > 0.1) await until(() => ledger.acked > before, 30_000, "an ack");
    await setTimeout(fault.random(0, 150));
    await group.child.kill();
    fault.count("kills");
    started = performance.now();
    group.spawn();
    const early = fault.random(0, 1) < 0.1;
    if (early) await setTimeout(fault.random(0, 400));
    else back.push(await answers(group.address, 20_000));
  }
  await group.child.kill();
  await group.start();
  await Promise.all(senders.map((sender) => sender.stop()));
  const all = ledger.acked;
  const saw = () => followers.every(({ seen }) => seen.length >= all);
  const told = await until(saw, 20_000, "").then(() => true, () => false);
  fault.expect(told, `followers of ${name} do not see all that was acknowledged`);
  await Promise.all(followers.map((follower) => follower.stop()));
  await group.child.stop();
  const held = await heldBy(data, fault);
  ledger.check(held, fault);
  for (const follower of followers) follower.check(held, fault);
}
