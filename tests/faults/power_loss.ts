/**
 * Loss of power at random moments of a group's life: everything that was not synced is dropped,
 * or a random part of it. What was acknowledged by then is there when the log opens again.
 */

import type { Buffer } from "node:buffer";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { changesOf, Disk } from "./support/power.ts";
import { heldBy } from "./support/audit.ts";
import { Child } from "./support/children.ts";
import { type Fault, fault } from "./support/fault.ts";
import { preload } from "./support/preload.ts";

interface Ack {
  readonly seq: number;
  readonly mid: string;
  readonly length: number;
  readonly label: string;
}

await fault(async (fault) => {
  const record = await recordOf(fault);
  const changes = [...changesOf(record)];
  const data = join(fault.folder, "power", "group") + "/";
  const acksFile = join(fault.folder, "power", "acks");
  const points = Array.from({ length: fault.size(40, 1_000) }, () => fault.int(0, changes.length))
    .sort((a, b) => a - b);
  fault.figure("changes", changes.length);
  fault.figure("syncs", changes.filter(({ op }) => op === "s").length);
  const disk = new Disk();
  const acks: Ack[] = [];
  const left = join(fault.folder, "left");
  let done = 0;
  for (const point of points) {
    for (; done < point; done++) {
      const change = changes[done];
      if (change.path !== acksFile) disk.apply(change);
      else if (change.op === "w") {
        acks.push(...change.data.toString().trim().split("\n").map(toAck));
      }
    }
    fault.count("points");
    // All that was not synced is gone; or each part of it is there or not.
    disk.leave(data, left, () => false);
    await check(fault, left, acks, `nothing unsynced kept at ${point}`);
    disk.leave(data, left, () => fault.random(0, 1) < 0.5);
    await check(fault, left, acks, `some unsynced kept at ${point}`);
  }
  fault.figure("acked", acks.length);
  for (const figure of ["lost", "changed", "duplicated"]) fault.count(figure, 0);
});

/** Runs the group; what it changed. */
async function recordOf(fault: Fault): Promise<Buffer> {
  const env = preload(fault, "power_loss");
  const folder = join(fault.folder, "power");
  const file = join(fault.folder, "record");
  const options = { folder, data: join(folder, "group"), messages: 1_500 };
  mkdirSync(folder);
  const child = new Child("programs/power_group.ts", [JSON.stringify(options)], {
    env: { ...env, ZG_POWER_DIR: folder, ZG_POWER_LOG: file },
  });
  const { code } = await child.ended;
  if (code !== 0) throw new Error(`the group ended with ${code}: ${child.errors}`);
  return readFileSync(file);
}

function toAck(line: string): Ack {
  const [seq, mid, length, label] = line.split(" ");
  return { seq: Number(seq), mid, length: Number(length), label };
}

/** Opens what is left as a start would, and looks for all that was promised. */
async function check(fault: Fault, folder: string, acks: readonly Ack[], when: string) {
  if (acks.length > 0) {
    const identity = JSON.parse(readFileSync(join(folder, "group.json"), "utf8"));
    fault.expect(identity.name === "Lab", `${when}: the group's key is not there`);
  }
  let held;
  try {
    held = await heldBy(folder, fault);
  } catch (error) {
    return fault.expect(false, `${when}: ${error}`);
  }
  const byMid = new Map(held.map((one) => [one.mid, one]));
  fault.expect(byMid.size === held.length, `${when}: a message is there twice`);
  for (const { seq, mid, length, label } of acks) {
    const found = byMid.get(mid);
    if (!found) fault.count("lost");
    else if (found.seq !== seq || found.text.length !== length || !found.text.startsWith(label)) {
      fault.count("changed");
    } else continue;
    fault.expect(false, `${when}: an acknowledged message is not there as it was`);
  }
}
