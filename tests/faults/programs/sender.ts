/**
 * A user in a process of its own: joins, sends numbered texts from its outbox on, until it is
 * killed. Its options as JSON; `try TEXT` before each, `kept TEXT` when it is in the outbox, `ack MID
 * SEQ TEXT` after, `sent MID TEXT` for what an earlier run left in the outbox. With `count: 0` it ends when the outbox is empty.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { connect } from "../../../mod.ts";

const { home, registries, group, prefix, first, count } = JSON.parse(process.argv[2]);
const say = (line: string) => writeSync(1, line + "\n");
const own = new Set<string>(); // texts of this run
process.stdin.on("end", () => process.exit(1)).resume(); // Nobody is left who waits for it.

const user = await connect({ home, registries, name: prefix });
user.on((event) => {
  if (event.type === "outbox" && event.state === "sent" && !own.has(event.text)) {
    say(`sent ${event.mid} ${event.text}`);
  }
  if (event.type === "outbox" && event.state === "pending") say(`kept ${event.text}`);
  if (event.type === "outbox" && event.state === "failed") say(`failed ${event.text}`);
});
await user.join(group);
say("joined");

async function send(text: string): Promise<void> {
  say(`try ${text}`);
  own.add(text);
  const { mid, seq } = await user.send(group, text, { within: Infinity });
  say(`ack ${mid} ${seq} ${text}`);
}

// One more message pushes all before it out of the outbox.
if (count === 0) await send(`${prefix}-${first}`);
else {
  const window: Promise<void>[] = [];
  for (let n = first; n < first + count; n++) {
    window.push(send(`${prefix}-${n}`));
    if (window.length >= 4) await window.shift();
  }
  await Promise.all(window);
}
await user.close();
process.exit(0);
