/**
 * The clocks of group and registry jump, one day back and one day forward: the order of messages
 * stands, `at` never goes back, nobody is refused, and the group keeps its lease. It stays listed
 * whatever its own clock says; of a registry whose clock is wrong nobody believes a record, until its
 * clock is right again.
 */

import { join } from "node:path";
import { splitRegistry } from "../../lib/text/addresses.ts";
import { registryClient } from "../../lib/session/registry_client.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { until } from "../support.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Child } from "./support/children.ts";
import { Clock } from "./support/clock.ts";
import { Follower, joined, numbered, Sender } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { preload } from "./support/preload.ts";
import { startGroup } from "./support/servers.ts";

const NAME = "Lab";
const DAY = 86_400;
/** Whose clock jumps, and how far ahead of the others' it is then, seconds. */
const JUMPS: readonly (readonly ["group" | "registry", number])[] = [
  ["group", -DAY],
  ["group", 0],
  ["group", DAY],
  ["group", 0],
  ["registry", -DAY],
  ["registry", 0],
  ["registry", DAY],
  ["registry", 0],
];
/** A lease that a jump costs is taken again with the next renewals, ms. */
const LISTED_WITHIN = 4_000;

await fault(async (fault) => {
  const env = preload(fault, "clock");
  const clocks = { group: new Clock(fault, "group"), registry: new Clock(fault, "registry") };
  const registry = new Child("programs/registry.ts", ['{"port":0}'], {
    env: { ...env, ZG_CLOCK: clocks.registry.file },
  });
  fault.onClose(() => registry.kill());
  const registries = [(await registry.line()).split(" ")[1]];
  const data = join(fault.folder, "data");
  const group = await startGroup(fault, { name: NAME, data, registries }, {
    ...env,
    ZG_CLOCK: clocks.group.file,
  });
  const ledger = new Ledger();
  const [reader, ...users] = await joined(fault, registries, NAME, ["r", ...numbered("s", 4)]);
  const follower = new Follower(reader);
  follower.start(NAME);
  const senders = users.map((user) => new Sender(user, NAME, ledger, () => fault.int(0, 20)));
  let slowest = 0;
  for (const sender of senders) {
    sender.onAck = (ms) => slowest = Math.max(slowest, ms);
    sender.start(1);
  }
  const listed = async () => (await reader.list()).some(({ state }) => state === "live");
  const leased = leaseAt(fault, registries[0]);
  let unlisted = 0;
  for (let i = 0; i < fault.size(1, 5); i++) {
    for (const [who, ahead] of JUMPS) {
      clocks[who].set(ahead);
      fault.count("jumps");
      const acked = ledger.acked;
      const begin = performance.now();
      fault.expect(await leased(), `no lease at once after ${who} ${ahead} s`);
      if (who === "group") {
        fault.expect(await listed(), `not listed at once after group ${ahead} s`);
      }
      const wrong = who === "registry" && ahead !== 0;
      if (!wrong) {
        await until(listed, 20_000, `the group to be listed after ${who} ${ahead} s`);
        unlisted = Math.max(unlisted, performance.now() - begin);
      }
      await until(() => ledger.acked > acked + 100, 10_000, `messages after ${who} ${ahead} s`);
      if (ahead === 0) continue;
      // Over two renewals, by whatever clock.
      const end = performance.now() + 2_200;
      await until(
        async () => {
          fault.expect(await leased(), `no lease after ${who} ${ahead} s`);
          fault.expect(wrong || await listed(), `not listed after ${who} ${ahead} s`);
          return performance.now() > end;
        },
        10_000,
        "renewals",
      );
    }
  }
  fault.figure("unlisted_ms_max", unlisted);
  fault.bound(unlisted < LISTED_WITHIN, "a jump cost the lease for too long");
  fault.figure("slowest_ack_ms", slowest);
  fault.bound(slowest < 1_000, "a jump delayed an acknowledgement");
  await Promise.all(senders.map((sender) => sender.stop()));
  await until(() => follower.seen.length >= ledger.acked, 10_000, "the follower");
  await follower.stop();
  fault.expect(await group.child.stop() === 0, `the group did not end well`);
  const held = await heldBy(data, fault);
  ledger.check(held, fault);
  follower.check(held, fault);
});

/** Whether a registry says that the group is live, whatever the dates of its record. */
function leaseAt(fault: Fault, registry: string): () => Promise<boolean> {
  const client = registryClient({
    transport: zmtpTransport(),
    pins: new Map<string, string>(),
    wayOut: "",
    ...splitRegistry(registry)!,
  });
  fault.onClose(() => client.close());
  return async () => {
    const { groups } = await client.request("list", { prefix: "", after: "" });
    return (groups as { state: string }[]).some(({ state }) => state === "live");
  };
}
