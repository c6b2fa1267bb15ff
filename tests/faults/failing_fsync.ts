/**
 * One fsync of the group's log fails: nothing is acknowledged after it, the group ends with an
 * error, and its restart is clean.
 */

import { join } from "node:path";
import { heldBy, Ledger } from "./support/audit.ts";
import { joined, numbered, Sender } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { preload } from "./support/preload.ts";
import { startGroup, startRegistry } from "./support/servers.ts";

/** A group that goes on for this long after its start did not notice, ms. */
const ENDS_WITHIN = 20_000;

await fault(async (fault) => {
  const env = preload(fault, "fail_fsync");
  const registries = await startRegistry(fault);
  for (let i = 0; i < fault.size(4, 100); i++) {
    await once(fault, env, registries[0], `Lab ${i}`);
    fault.count("failures");
  }
  for (const figure of ["acked_after", "ended_well"]) fault.count(figure, 0);
});

async function once(
  fault: Fault,
  env: Record<string, string>,
  registry: string,
  name: string,
): Promise<void> {
  const registries = [registry];
  const data = join(fault.folder, encodeURIComponent(name));
  const after = String(fault.int(40, 200));
  const group = await startGroup(fault, { name, data, registries }, {
    ...env,
    ZG_FSYNC_DIR: data,
    ZG_FSYNC_AFTER: after,
  });
  const ledger = new Ledger();
  const users = await joined(fault, registries, name, numbered("sender", 4));
  const senders = users.map((user) => new Sender(user, name, ledger, () => fault.int(0, 4)));
  for (const sender of senders) sender.start();
  const goesOn = setTimeout(() => group.child.signal("SIGKILL"), ENDS_WITHIN);
  const { code } = await group.child.ended;
  clearTimeout(goesOn);
  const acked = ledger.acked;
  if (code === 0 || code === null) {
    fault.count("ended_well");
    fault.expect(false, `the group ended with ${code} after a failed fsync`);
  }
  // Acknowledged before the failure: nothing can follow from a process that is gone.
  const held = await heldBy(data, fault);
  const beyond = held.length - acked;
  fault.expect(beyond >= 0, `${-beyond} acknowledged messages are not in the log`);
  const clean = await startGroup(fault, { ...group.options, address: group.address });
  await Promise.all(senders.map((sender) => sender.stop()));
  fault.expect(await clean.child.stop() === 0, "the restart did not end well");
  ledger.check(await heldBy(data, fault), fault);
  await Promise.all(users.map((user) => user.close()));
}
