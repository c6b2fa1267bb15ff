/**
 * A group with eight senders in one process, whose changes to its folder are recorded. Each
 * acknowledgement is written to the file `acks` below the recorded folder, so that the record says
 * what was promised at each moment. Its options as JSON.
 */

import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { connect, Group, Registry } from "../../../mod.ts";

const { folder, data, messages, keep } = JSON.parse(process.argv[2]);
const NAME = "Lab";
const registry = await Registry.start({ port: 0 });
const registries = [registry.address];
const group = await Group.start({
  name: NAME,
  data,
  registries,
  rate: Infinity,
  ...(keep ? { keep } : {}),
});
const acks = openSync(join(folder, "acks"), "w");
let left = messages;
await Promise.all(Array.from({ length: 8 }, async (_, i) => {
  const user = await connect({ name: `sender ${i}`, registries });
  await user.join(NAME);
  for (let n = 1; left-- > 0; n++) {
    // Most are small; some are long, so that the write-ahead log is carried over now and then.
    const text = `${i}-${n} ${"x".repeat(n % 4 === 0 ? 60_000 : n % 300)}`;
    const { mid, seq } = await user.send(NAME, text, { within: Infinity });
    writeSync(acks, `${seq} ${mid} ${text.length} ${i}-${n}\n`);
    if (n % 20 === 0) {
      await user.leave(NAME);
      await user.join(NAME);
    }
  }
  await user.close();
}));
await group.close();
await registry.close();
process.exit(0);
