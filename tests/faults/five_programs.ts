/**
 * One user's folder in five programs at once, a prompt, a follow and three senders, killed at
 * random: what was acknowledged is there once, nothing is there twice, the follow misses nothing,
 * and no lock is left behind.
 */

import { Group } from "../support/inside.ts";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { until } from "../support.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Child, runProgram } from "./support/children.ts";
import { type Fault, fault } from "./support/fault.ts";
import { startRegistry } from "./support/servers.ts";

const NAME = "Lab";
const USER = "../../user.ts";

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "data");
  const group = await Group.start({ name: NAME, data, registries, rate: Infinity });
  fault.onClose(() => group.close());
  const common = ["--home", join(fault.folder, "home"), "--registry", registries[0]];
  const joined = await runProgram("user.ts", "join", NAME, "--name", "alice", ...common);
  fault.expect(joined.code === 0, `join: ${joined.output}`);

  const ledger = new Ledger();
  const followed = new Set<number>();
  const seconds = fault.size(12, 300);
  const end = performance.now() + seconds * 1_000;
  const typed = { n: 0 };
  await Promise.all([
    lives(fault, end, () => prompt(common, ledger, typed)),
    lives(fault, end, () => follow(common, followed)),
    ...["a", "b", "c"].map((prefix) => {
      const next = { n: 0 };
      return lives(fault, end, () => lines(fault, common, ledger, prefix, next));
    }),
  ]);
  // The next start of any program sends what the killed ones left.
  ledger.tried("the last one");
  const last = await runProgram("user.ts", "send", NAME, "the last one", ...common);
  fault.expect(last.code === 0, `the last send: ${last.output}`);
  const follower = follow(common, followed);
  fault.onClose(() => follower.kill());
  await until(() => followed.has(group.group.head), 20_000, "the follow to reach the head");
  await follower.kill();
  let missed = 0;
  for (let seq = 2; seq <= group.group.head; seq++) if (!followed.has(seq)) missed++;
  fault.figure("missed", missed);
  fault.expect(missed === 0, `the follow missed ${missed} entries`);
  await group.close();
  ledger.check(await heldBy(data, fault), fault);
});

/** Starts a program, kills it at a random moment, and starts it again, until the end. */
async function lives(fault: Fault, end: number, start: () => Child): Promise<void> {
  while (performance.now() < end) {
    const child = start();
    await Promise.race([setTimeout(fault.random(200, 2_500)), child.ended]);
    await child.kill();
    fault.expect(!/locked|busy/.test(child.errors), `a lock: ${child.errors}`);
    fault.count("kills");
  }
}

/** The prompt, sending a line after the other. */
function prompt(common: readonly string[], ledger: Ledger, next: { n: number }): Child {
  const child = new Child(USER, common, { onLine: () => {} });
  const typing = setInterval(() => {
    const text = `prompt-${++next.n}`;
    ledger.tried(text);
    child.write(`send_message ${NAME} ${text}\n`);
  }, 30);
  void child.ended.then(() => clearInterval(typing));
  return child;
}

/** A follow from where the last one was. */
function follow(common: readonly string[], seen: Set<number>): Child {
  return new Child(USER, ["follow", NAME, "--json", ...common], {
    onLine: (line) => seen.add(JSON.parse(line).seq),
  });
}

/** A sender of lines; its receipts come in the order of the lines. */
function lines(
  fault: Fault,
  common: readonly string[],
  ledger: Ledger,
  prefix: string,
  next: { n: number },
): Child {
  const texts: string[] = [];
  let receipts = 0;
  const child = new Child(USER, ["send", NAME, "-", "--lines", "--json", ...common], {
    onLine(line) {
      const { mid, seq } = JSON.parse(line);
      ledger.ack(mid, seq, texts[receipts++]);
    },
  });
  const writing = setInterval(() => {
    for (let i = 0; i < fault.int(1, 4); i++) {
      const text = `${prefix}-${++next.n}`;
      texts.push(text);
      ledger.tried(text);
      child.write(`${text}\n`);
    }
  }, 20);
  void child.ended.then(() => clearInterval(writing));
  return child;
}
