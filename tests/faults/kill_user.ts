/**
 * SIGKILL to a user at random moments while it sends, also while its group is away, and start it
 * again with its outbox: what was acknowledged, or kept in the outbox, is there, once, and nothing
 * is there twice.
 */

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Group } from "../../mod.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Child } from "./support/children.ts";
import { type Fault, fault } from "./support/fault.ts";
import { startRegistry } from "./support/servers.ts";

/** Users killed side by side. */
const LANES = 4;
const GROUP = "Lab";

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "group");
  const start = () => Group.start({ name: GROUP, data, registries, rate: Infinity });
  let group = await start();
  fault.onClose(() => group.close());
  const ledger = new Ledger();
  const lanes = Array.from({ length: LANES }, (_, lane) => laneOf(fault, registries, lane, ledger));
  const kills = Math.ceil(fault.size(40, 1_000) / LANES);
  await Promise.all(lanes.map((run) => killAtRandom(fault, run, kills)));
  for (let i = 0; i < fault.size(3, 50); i++) {
    const runs = lanes.map((run) => run(1_000_000));
    await Promise.all(runs.map(({ working }) => Promise.race([working, setTimeout(20_000)])));
    await group.close();
    await setTimeout(fault.random(0, 200));
    await Promise.all(runs.map(({ child }) => child.kill()));
    fault.count("kills_while_away", LANES);
    group = await start();
  }
  await Promise.all(lanes.map((run) => emptyOutbox(fault, run)));
  await group.close();
  const held = await heldBy(data, fault);
  ledger.check(held, fault);
  fault.figure("entries", held.length);
});

/** Starts a user, who sends so many messages from where it was; `working` once it is a member. */
type Run = (count: number) => { readonly child: Child; readonly working: Promise<void> };

function laneOf(fault: Fault, registries: string[], lane: number, ledger: Ledger): Run {
  const home = join(fault.folder, `user ${lane}`);
  const prefix = `user ${lane}`;
  let next = 1;
  return (count) => {
    let joined = () => {};
    const working = new Promise<void>((resolve) => (joined = resolve));
    const options = { home, registries, group: GROUP, prefix, first: next, count };
    const child = new Child("programs/sender.ts", [JSON.stringify(options)], {
      onLine(line) {
        const [word, ...rest] = line.split(" ");
        if (word === "joined") joined();
        if (word === "failed") fault.expect(false, `${line}: refused for good`);
        if (word === "try") {
          ledger.tried(rest.join(" "));
          next = Math.max(next, Number(line.split("-").pop()) + 1);
        }
        if (word === "kept") ledger.kept(rest.join(" "));
        if (word === "ack") ledger.ack(rest[0], Number(rest[1]), rest.slice(2).join(" "));
        if (word === "sent") {
          fault.count("from_outbox");
          ledger.ack(rest[0], undefined, rest.slice(1).join(" "));
        }
      },
    });
    return { child, working };
  };
}

async function killAtRandom(fault: Fault, run: Run, kills: number): Promise<void> {
  for (let i = 0; i < kills; i++) {
    const { child, working } = run(1_000_000);
    // Some die before they have joined.
    if (fault.random(0, 1) > 0.1) await Promise.race([working, setTimeout(20_000)]);
    await setTimeout(fault.random(0, 150));
    await child.kill();
    fault.count("kills");
  }
}

async function emptyOutbox(fault: Fault, run: Run): Promise<void> {
  const { child } = run(0);
  const { code } = await child.ended;
  fault.expect(code === 0, `the last run ended with ${code}: ${child.errors}`);
}
