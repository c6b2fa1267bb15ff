/**
 * SIGKILL to the registry during leases, lists and joins: chats go on undisturbed, its list is
 * whole within 2 s of its restart, and a name still belongs to the key that took it.
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { connect, Group, Refusal, Unreachable, type User } from "../../mod.ts";
import { parseAddress, splitRegistry } from "../../lib/text/addresses.ts";
import { until } from "../support.ts";
import { percentile } from "../support/percentile.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Child } from "./support/children.ts";
import { joined, numbered, Sender } from "./support/chat.ts";
import { fault } from "./support/fault.ts";

const GROUPS = 10;
const GONE = "Gone";
/** The list is whole again within this, ms. */
const WHOLE_WITHIN = 2_000;
/** A chat that the registry's death disturbs would wait for a time-out of seconds. */
const UNDISTURBED = 1_000;

await fault(async (fault) => {
  const start = async (port: number) => {
    const options = JSON.stringify({ port, home: join(fault.folder, "registry") });
    const child = new Child("programs/registry.ts", [options]);
    const address = (await child.line()).split(" ")[1];
    return { child, address };
  };
  let registry = await start(0);
  fault.onClose(() => registry.child.kill());
  const registries = [registry.address];
  const port = parseAddress(splitRegistry(registry.address)!.address)!.port;
  const groups = [];
  const ledgers: Ledger[] = [];
  for (const name of numbered("Group", GROUPS)) {
    const data = join(fault.folder, name);
    const group = await Group.start({ name, data, registries, rate: Infinity });
    fault.onClose(() => group.close());
    groups.push({ group, data });
  }
  const latencies: number[] = [];
  const senders: Sender[] = [];
  for (const { group } of groups) {
    const ledger = new Ledger();
    ledgers.push(ledger);
    const [user] = await joined(fault, registries, group.name, [`sender of ${group.name}`]);
    const sender = new Sender(user, group.name, ledger, () => fault.int(5, 20));
    sender.onAck = (ms) => latencies.push(ms);
    sender.start(1);
    senders.push(sender);
  }
  // A name whose group is gone is kept on disk only.
  const gone = await Group.start({ name: GONE, data: join(fault.folder, "gone"), registries });
  await gone.close();
  const whole: number[] = [];
  const [lister] = await joined(fault, registries, "Group 1", ["lister"]);
  const kills = fault.size(6, 200);
  for (let i = 0; i < kills; i++) {
    // A list and a first join are under way when it dies; both must end, well or with Unreachable.
    const fresh = await connect({ name: `fresh ${i}`, registries });
    const busy = Promise.allSettled([
      lister.list(),
      fresh.join(`Group ${fault.int(1, GROUPS + 1)}`),
    ]);
    await setTimeout(fault.random(0, 30));
    await registry.child.kill();
    fault.count("kills");
    for (const result of await busy) {
      const good = result.status === "fulfilled" || result.reason instanceof Unreachable;
      fault.expect(good, `under way when it died: ${(result as PromiseRejectedResult).reason}`);
    }
    await fresh.close();
    registry = await start(port);
    const begin = performance.now();
    const listed = async () => (await lister.list().catch(() => [])).length === GROUPS;
    await until(listed, 20_000, "the whole list");
    whole.push(performance.now() - begin);
  }
  const data = join(fault.folder, "stranger");
  fault.expect(!await isTaken(lister, data, registries), "a stranger took the name of another key");
  await Promise.all(senders.map((sender) => sender.stop()));
  for (const [i, { group, data }] of groups.entries()) {
    await group.close();
    ledgers[i].check(await heldBy(data, fault), fault);
  }
  fault.figure("chat_ms_p99", percentile(latencies, 0.99));
  fault.figure("chat_ms_max", Math.max(...latencies));
  fault.figure("whole_ms_p50", percentile(whole, 0.5));
  fault.figure("whole_ms_max", Math.max(...whole));
  fault.bound(Math.max(...latencies) < UNDISTURBED, "a chat was disturbed");
  fault.bound(Math.max(...whole) <= WHOLE_WITHIN, `the list was not whole in ${WHOLE_WITHIN} ms`);
});

/** Whether a group with a key of its own takes the name of the one that is gone. */
async function isTaken(lister: User, data: string, registries: string[]): Promise<boolean> {
  try {
    await using _ = await Group.start({ name: GONE, data, registries });
    return (await lister.list()).some(({ name }) => name === GONE);
  } catch (error) {
    if (error instanceof Refusal && error.code === "name_taken") return false;
    throw error;
  }
}
