/**
 * Members coming and going for a long time while the group is killed again and again: nothing
 * acknowledged is lost or doubled, all members are told the same, memory and descriptors stay.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { connect } from "../../mod.ts";
import { until } from "../support.ts";
import { usage } from "../support/usage.ts";
import { percentile } from "../support/percentile.ts";
import { heldBy, Ledger } from "./support/audit.ts";
import { Sender } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { startGroup, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
/** Memory and descriptors may differ by this between the beginning and the end. */
const FLAT = 1.1;
/** From how many minutes on descriptors and memory are judged; before that they have not settled. */
const SETTLES = { fds: 1, memory: 20 };

/** What all members saw, by seq: whoever is told another message than the first one differs. */
class Seen {
  readonly #mids: (string | undefined)[] = [];
  different = 0;
  gaps = 0;

  note(seq: number, mid: string | undefined): void {
    const wanted = mid ?? "-";
    this.#mids[seq] ??= wanted;
    if (this.#mids[seq] !== wanted) this.different++;
  }

  at(seq: number): string | undefined {
    return this.#mids[seq];
  }
}

/** One member of `members`: sends now and then, follows, and goes. Each message is checked by all. */
async function live(
  fault: Fault,
  registry: string,
  { ledger, seen, members }: { ledger: Ledger; seen: Seen; members: number },
  name: string,
) {
  const user = await connect({ name, registries: [registry] });
  await user.join(NAME);
  const sender = new Sender(user, NAME, ledger, () => members * fault.random(20, 60));
  sender.start(1);
  const stop = new AbortController();
  let last = 0;
  const following = (async () => {
    const begin = Math.max(0, user.joined()[0].unread - 1);
    for await (const { seq, mid } of user.follow(NAME, { after: begin, signal: stop.signal })) {
      if (last > 0 && seq !== last + 1) seen.gaps++;
      last = seq;
      seen.note(seq, mid);
    }
  })();
  return {
    async go() {
      await sender.stop();
      stop.abort();
      await following;
      await user.leave(NAME);
      await user.close();
    },
    get last() {
      return last;
    },
  };
}

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

await fault(async (fault) => {
  const minutes = fault.minutes ?? fault.size(0.25, 60);
  const members = fault.size(40, 200);
  const killEvery = fault.size(5_000, 60_000);
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "data");
  const group = await startGroup(fault, {
    name: NAME,
    data,
    registries,
  });
  const ledger = new Ledger();
  const seen = new Seen();
  const here: Awaited<ReturnType<typeof live>>[] = [];
  let came = 0;
  const come = async () =>
    here.push(await live(fault, registries[0], { ledger, seen, members }, `member ${++came}`));
  for (let i = 0; i < members; i++) await come();

  const samples: { group: number; users: number; fds: number; userFds: number }[] = [];
  const end = performance.now() + minutes * 60_000;
  let kill = performance.now() + killEvery;
  while (performance.now() < end) {
    await setTimeout(1_000);
    const [gone] = here.splice(fault.int(0, here.length), 1);
    await Promise.all([gone.go(), come()]);
    if (performance.now() < kill) continue;
    // Each life of the group is measured at its end: a restart begins with little.
    samples.push({
      group: usage(group.child.pid).memory,
      users: usage(process.pid).memory,
      fds: descriptors(group.child.pid),
      userFds: descriptors(process.pid),
    });
    await group.child.kill();
    fault.count("kills");
    await group.start();
    kill = performance.now() + killEvery;
  }
  const all = ledger.head;
  await until(() => here.every(({ last }) => last >= all), 30_000, "all members to have all");
  await Promise.all(here.map((member) => member.go()));
  fault.figure("minutes", minutes);
  fault.figure("members", came);
  fault.figure("different", seen.different);
  fault.figure("gaps", seen.gaps);
  fault.expect(seen.different === 0, "members were told different messages");
  fault.expect(seen.gaps === 0, "a member was told a gap");
  judge(fault, samples, minutes);
  fault.expect(await group.child.stop() === 0, "the group did not end well");
  const held = await heldBy(data, fault);
  ledger.check(held, fault);
  const other = held.filter(({ seq, mid }) => (seen.at(seq) ?? mid) !== mid).length;
  fault.expect(other === 0, `${other} messages were told otherwise than the log holds them`);
});

/** Compares the first and the last quarter of the samples. */
function judge(
  fault: Fault,
  samples: { group: number; users: number; fds: number; userFds: number }[],
  minutes: number,
): void {
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  for (const what of ["group", "users", "fds", "userFds"] as const) {
    const values = samples.map((sample) => sample[what]);
    const [first, last] = [values.slice(0, quarter), values.slice(-quarter)]
      .map((part) => percentile(part, 0.5));
    const unit = what === "group" || what === "users" ? "_mb" : "";
    fault.figure(`${what}${unit}_first`, first);
    fault.figure(`${what}${unit}_last`, last);
    const settles = what === "fds" || what === "userFds" ? SETTLES.fds : SETTLES.memory;
    // The users' process keeps the ledger of this test, which grows with every message.
    if (minutes < settles || what === "users") continue;
    fault.bound(last <= first * FLAT, `${what} went from ${first} to ${last}`);
  }
}
