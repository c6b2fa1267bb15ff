/**
 * A member in a process of its own that follows a group from an entry on: its options as
 * JSON, then `at SEQ` for each entry, `gap SEQ` where one is missing before it. With `pause` it takes
 * one entry in so many ms.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { connect } from "../../../mod.ts";

const { registries, group, name, pause = 0, after = 0 } = JSON.parse(process.argv[2]);
process.stdin.on("end", () => process.exit(1)).resume(); // Nobody is left who waits for it.
const user = await connect({ registries, name });
await user.join(group);
writeSync(1, "at 0\n");
let last = after;
for await (const { seq } of user.follow(group, { after })) {
  if (seq !== last + 1) writeSync(1, `gap ${seq}\n`);
  last = seq;
  if (seq % 50 === 0 || pause > 0) writeSync(1, `at ${seq}\n`);
  if (pause > 0) await setTimeout(pause);
}
