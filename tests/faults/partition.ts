/**
 * Nothing passes between members and group, both ways or one way, or the live feed does not, and
 * then everything again: all members end with the same sequence within 3 s of healing, a member notices within 6 s that the
 * group is silent, and the group that the member is.
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../support.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Follower, joined, numbered, Sender } from "./support/chat.ts";
import { fault } from "./support/fault.ts";
import { type Cut, Proxy } from "./support/proxy.ts";
import { startGroup, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
/** All members have the same sequence again within this, ms. */
const HEALED_WITHIN = 3_000;
/** A silent peer is noticed within this, ms. */
const NOTICED_WITHIN = 6_000;

/** What is cut, for how long, s; the feed for less time than members take for silence. */
type Partition = readonly [cut: Cut, seconds: number];
const SMALL: readonly Partition[] = [
  ["both", 7],
  ["up", 3],
  ["down", 3],
  ["broken", 3],
  ["broken", 0.5],
  ["feed", 1],
];
const FULL: readonly Partition[] = (["both", "up", "down", "broken"] as const)
  .flatMap((cut) => [5, 10, 20, 40, 60].map((seconds): Partition => [cut, seconds]))
  .concat([0.5, 1, 1.5].map((seconds) => ["broken", seconds]))
  .concat([1, 1.5, 2].map((seconds) => ["feed", seconds]));

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "data");
  const group = await startGroup(fault, {
    name: NAME,
    advertise: "127.0.0.2",
    data,
    registries,
  });
  const proxy = new Proxy("127.0.0.2", "127.0.0.1");
  fault.onClose(() => proxy[Symbol.asyncDispose]());
  await proxy.forward(Number(group.address.split(":")[1]));
  const ledger = new Ledger();
  const talker = await joined(fault, registries, NAME, ["talker"]);
  proxy.spare(); // It is on the group's side, so that the others miss something.
  const followers = (await joined(fault, registries, NAME, numbered("follower", 3)))
    .map((user) => new Follower(user));
  const states = new Map<string, string>();
  for (const follower of followers) {
    follower.user.on((event) => {
      if (event.type === "state") states.set(follower.user.name, event.state);
    });
    follower.start(NAME);
  }
  const users = await joined(fault, registries, NAME, numbered("sender", 4));
  const senders = [...talker, ...users].map((user) =>
    new Sender(user, NAME, ledger, () => fault.int(20, 60))
  );
  for (const sender of senders) sender.start(2);
  const healed: number[] = [];
  const noticed: number[] = [];
  for (const [cut, seconds] of fault.full ? FULL : SMALL) {
    const acked = ledger.acked;
    await until(() => ledger.acked > acked + 50, 20_000, "messages before the cut");
    proxy.cut(cut);
    fault.count("partitions");
    const begin = performance.now();
    const silent = () => followers.every(({ user }) => states.get(user.name) === "unreachable");
    if (cut === "both" && seconds * 1_000 > NOTICED_WITHIN) {
      await until(silent, 30_000, "members to notice that the group is silent");
      noticed.push(performance.now() - begin);
    }
    await setTimeout(Math.max(0, seconds * 1_000 - (performance.now() - begin)));
    // What the group took before or during the cut, all must see; and what senders could not send.
    const under = ledger.waiting;
    proxy.cut("none");
    const heal = performance.now();
    const after = `after ${cut} ${seconds} s`;
    await until(
      () => under.every((text) => ledger.has(text)),
      60_000,
      `what waited to be sent ${after}`,
    );
    // The talker goes on: each member must have what there was when the last of it was sent.
    const { head } = ledger;
    await until(
      () => followers.every((follower) => follower.head >= head),
      60_000,
      `all to have the same ${after}`,
    );
    healed.push(performance.now() - heal);
    console.log(`${cut} ${seconds} s: the same again after ${Math.round(healed.at(-1)!)} ms`);
  }
  fault.figure("healed_ms_max", Math.max(...healed));
  fault.figure("noticed_ms_max", Math.max(...noticed));
  fault.bound(Math.max(...healed) <= HEALED_WITHIN, "not the same within 3 s of healing");
  fault.bound(Math.max(...noticed) <= NOTICED_WITHIN, "a silent group was noticed too late");
  await Promise.all(senders.map((sender) => sender.stop()));
  await until(() => followers.every((f) => f.hasAll(ledger)), 10_000, "the followers");
  await Promise.all(followers.map((follower) => follower.stop()));
  fault.expect(await group.child.stop() === 0, "the group did not end well");
  const held = await heldBy(data, fault);
  ledger.check(held, fault);
  for (const follower of followers) follower.check(held, fault);
});
