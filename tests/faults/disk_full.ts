/**
 * A group on a file system of 2 MiB that is filled and freed: senders get `disk_full`, reads go on,
 * and writing resumes without a restart.
 */

import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { copies } from "../../lib/run/open_group.ts";
import { connect, Refusal } from "../../mod.ts";
import { fill, SmallDisk } from "../support/small_disk.ts";
import { until } from "../support.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Follower, joined, numbered, Sender } from "./support/chat.ts";
import { type Fault, fault, Skipped } from "./support/fault.ts";
import { GroupProcess, startGroup, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
/** How many entries of the second group are kept. */
const KEPT = 20;
/** Writing resumes within this after there is room again, ms: clients are told to wait 2 s. */
const RESUMES_WITHIN = 6_000;

await fault(async (fault) => {
  const disk = smallDisk(fault);
  const registries = await startRegistry(fault);
  const data = join(disk, "group");
  const group = await startGroup(fault, { name: NAME, data, registries });
  const ledger = new Ledger();
  const [reader, ...users] = await joined(fault, registries, NAME, ["r", ...numbered("s", 4)]);
  const follower = new Follower(reader);
  follower.start(NAME);
  const senders = users.map((user) => new Sender(user, NAME, ledger, () => 10));
  for (const sender of senders) sender.start(1);
  const resumed: number[] = [];
  for (let i = 0; i < fault.size(2, 10); i++) {
    const before = ledger.acked;
    await until(() => ledger.acked > before + 50, 20_000, "messages before the disk is full");
    const fillers: string[] = [];
    // What the write-ahead log gives back when there is no room is filled, too.
    let refusal: unknown;
    for (let tries = 0; refusal === undefined && tries < 8; tries++) {
      fillers.push(fill(disk, `filler ${tries}`));
      const newcomer = await connect({ name: `new ${i} ${tries}`, registries });
      refusal = await newcomer.join(NAME).then(() => undefined, (error) => error);
      await newcomer.close();
    }
    const said = refusal instanceof Refusal && refusal.code === "disk_full";
    fault.expect(said, `a join on a full disk: ${refusal ?? "accepted"}`);
    if (said) fault.count("disk_full");
    const acked = ledger.acked;
    let read = 0;
    for await (const { mid } of reader.read(NAME)) if (mid !== undefined) read++;
    fault.expect(read >= acked, `read ${read} of ${acked} messages while the disk is full`);
    const begin = performance.now();
    for (const filler of fillers) rmSync(filler);
    await until(() => ledger.acked > acked + 20, 20_000, "messages after there is room");
    resumed.push(performance.now() - begin);
  }
  fault.bound(Math.max(...resumed) <= RESUMES_WITHIN, "writing resumed too late");
  fault.figure("resumes_ms_max", Math.max(...resumed));
  await Promise.all(senders.map((sender) => sender.stop()));
  await until(() => follower.seen.length >= ledger.acked, 10_000, "the follower");
  await follower.stop();
  const code = await group.child.stop();
  fault.expect(code === 0, `the group ended with ${code}: ${group.child.errors}`);
  const held = await heldBy(data, fault);
  ledger.check(held, fault);
  follower.check(held, fault);
  await dropping(fault, disk, data, registries);
});

/** A start that is to drop entries on a full disk goes on, and drops them when there is room. */
async function dropping(
  fault: Fault,
  disk: string,
  data: string,
  registries: readonly string[],
): Promise<void> {
  const size = () => statSync(join(data, "log.db")).size;
  const group = new GroupProcess({ name: NAME, data, registries, keep: KEPT });
  fault.onClose(() => group.child.kill());
  const filler = fill(disk, "filler");
  group.spawn();
  await group.child.line(/^warn The disk of the log is full: what need not be kept/);
  await group.up();
  const [reader, writer] = await Promise.all(["reader", "writer"].map(async (name) => {
    const user = await connect({ name, registries });
    fault.onClose(() => user.close());
    return user;
  }));
  const refusal = await reader.join(NAME).then(() => "accepted", (error) => error.code);
  fault.expect(refusal === "disk_full", `a join on a full disk: ${refusal}`);
  rmSync(filler);
  for (const user of [reader, writer]) {
    await until(() => user.join(NAME).catch(() => undefined), 20_000, "room for a member");
  }
  const say = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) => writer.send(NAME, `${i} ${"x".repeat(1_000)}`)),
    );
  const last = (await say(300)).at(-1)!.seq;
  // The log is looked through every 10 s.
  const first = async () => (await reader.read(NAME).next()).value!.seq;
  await until(async () => await first() > last - 2 * KEPT, 30_000, "old entries to be dropped");
  const before = size();
  await say(200);
  fault.figure("grown_bytes", size() - before);
  fault.expect(size() - before < 100_000, "what was dropped is not used again");
  fault.expect(await group.child.stop() === 0, `the group did not end well: ${group.child.errors}`);
  await copies.verify(data);
}

/** A file system of 2 MiB. @throws {Skipped} it cannot be mounted */
function smallDisk(fault: Fault): string {
  const disk = new SmallDisk(join(fault.folder, "disk"), "2m");
  if (disk.problem !== undefined) throw new Skipped(disk.problem);
  fault.onClose(() => disk.remove());
  return disk.path;
}
