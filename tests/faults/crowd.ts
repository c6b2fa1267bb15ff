/**
 * A crowd: members in several processes come and go, stand still, are killed and flood, strangers
 * connect and send rubbish, while the group is killed again and again. In the end all who are there
 * were told the same, nothing acknowledged is lost or doubled, nobody was cut who behaved, and what
 * the group's peers hold stayed within its bound.
 *
 * `--members N` sets how many; 60 in a small run, 3,000 in a full one.
 */

import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../support.ts";
import { heldBy } from "./support/audit.ts";
import { BACK_WITHIN, compare, Crowd } from "./support/crowd.ts";
import { type Fault, fault } from "./support/fault.ts";
import { Mutator } from "./support/mutate.ts";
import { startGroup, startRegistry } from "./support/servers.ts";
import { LIMIT, Watch } from "./support/watch.ts";

const NAME = "Lab";
/** Strangers at a time. */
const STRANGERS = 8;

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "data");
  const group = await startGroup(fault, {
    name: NAME,
    data,
    registries,
    rate: 500,
    memoryLimit: LIMIT,
  });
  const crowd = new Crowd(fault, { registries, group: NAME, wanted: fault.size(60, 3_000) });
  const begin = performance.now();
  await until(() => crowd.all("joined"), 20 * BACK_WITHIN, "all to join");
  fault.figure("joined_ms", performance.now() - begin);

  const watch = new Watch(fault, group, crowd.members);
  const rabble = strangers(fault, group.address);
  const kills = fault.size(3, 10);
  for (let i = 0; i < kills; i++) {
    await crowd.suffer(i);
    const { acked } = crowd.ledger;
    await until(() => crowd.ledger.acked > acked + 20, BACK_WITHIN, "messages before the kill");
    await setTimeout(fault.random(0, 1_000));
    await watch.look();
    await group.child.kill();
    fault.count("kills");
    await group.start();
  }
  await until(() => crowd.all("joined"), BACK_WITHIN, "all to join after the kills");
  await rabble.stop();
  const rest = performance.now();
  const head = await crowd.rest();
  fault.figure("same_ms", performance.now() - rest);
  const { connections } = await watch.look();
  fault.expect(connections >= crowd.members, `${crowd.members - connections} are not connected`);
  watch.end();
  const reports = await crowd.reports();
  fault.expect(await group.child.stop() === 0, "the group did not end well");
  const held = await heldBy(data, fault);
  crowd.ledger.check(held, fault);
  fault.figure("entries", head);
  compare(fault, reports, held, head);
});

/** Strangers who connect, send rubbish, and go or stay. */
function strangers(fault: Fault, address: string): { stop(): Promise<void> } {
  const [host, port] = address.split(":");
  const mutator = new Mutator(fault, ['{"id":1,"op":"ping"}', '{"id":2,"op":"join"}']);
  let stopped = false;
  const one = () =>
    new Promise<void>((resolve) => {
      const socket = connectTcp(Number(port), host, () => socket.write(mutator.stream()));
      socket.on("error", () => {}).on("close", () => resolve()).resume();
      socket.setTimeout(fault.int(20, 300), () => socket.destroy());
    });
  const lanes = Array.from({ length: STRANGERS }, async () => {
    while (!stopped) {
      await one();
      fault.count("strangers");
      await setTimeout(20);
    }
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(lanes);
    },
  };
}
