/**
 * The disk of the database's primary is full, and freed: who sends is put off, who reads is served
 * as before, nothing that was acknowledged is lost, and the group goes on by itself; only
 * a primary that ended by it is started again.
 */

import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../support.ts";
import { account } from "../support/postgres_programs.ts";
import { fill, SmallDisk } from "../support/small_disk.ts";
import { type Fault, fault, Skipped } from "./support/fault.ts";
import { LONG, SharedGroup, startCluster } from "./support/shared_group.ts";

/** Files of the primary and their log, and what may be added before it is full. */
const DISK = "250m";
/** What the primary may keep of its write-ahead log. */
const SETTINGS = { wal_keep_size: "32MB", min_wal_size: "32MB", max_wal_size: "64MB" };
/** It is full when nothing is acknowledged for so long, ms. */
const FULL_FOR = 3_000;
/** Writing resumes within this after there is room again, ms. */
const RESUMES_WITHIN = 15_000;

await fault(async (fault) => {
  const disk = smallDisk(fault);
  const cluster = await startCluster(fault, {
    nodes: 3,
    settings: SETTINGS,
    place: (name) => name === "n1" ? { folder: disk } : {},
  });
  const group = await SharedGroup.start(fault, { cluster });
  const [primary] = cluster.nodes;
  const resumed: number[] = [];
  for (let i = 0; i < fault.size(2, 10); i++) {
    await group.talk();
    const filler = fill(disk, "filler");
    await until(() => isStill(group), LONG, "the disk to be full");
    fault.count("full");
    if (primary.running) {
      const { acked } = group.ledger;
      const read = await group.read();
      fault.expect(read.length >= acked, `read ${read.length} of ${acked} messages meanwhile`);
      fault.count("read_while_full");
    }
    const begin = performance.now();
    rmSync(filler);
    if (!primary.running) {
      fault.count("ended");
      await primary.start();
    }
    await group.answered();
    resumed.push(performance.now() - begin);
    await group.settled();
  }
  const told = group.pinned.some(({ refusals }) => refusals.has("disk_full"));
  fault.expect(told, "nobody was told that the disk is full");
  fault.figure("resumes_ms_max", Math.max(...resumed));
  fault.bound(Math.max(...resumed) <= RESUMES_WITHIN, "writing resumed too late");
  await group.audit();
});

/** Whether nothing was acknowledged for a while. */
async function isStill({ ledger }: SharedGroup): Promise<boolean> {
  const { acked } = ledger;
  await setTimeout(FULL_FOR);
  return ledger.acked === acked;
}

/** A file system for the primary alone, where its account can go. @throws {Skipped} */
function smallDisk(fault: Fault): string {
  const place = mkdtempSync(join(tmpdir(), "zgroup-disk-"));
  chmodSync(place, 0o755);
  const disk = new SmallDisk(join(place, "disk"), DISK);
  fault.onClose(() => {
    disk.remove();
    rmSync(place, { recursive: true, force: true });
  });
  if (disk.problem !== undefined) throw new Skipped(disk.problem);
  const { uid, gid } = account();
  if (uid !== undefined && gid !== undefined) chownSync(disk.path, uid, gid);
  return disk.path;
}
