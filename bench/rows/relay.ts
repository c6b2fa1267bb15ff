/** relay: what members at a relay have later than the holder's, and what they cost the holder. */

import { setTimeout as pause } from "node:timers/promises";
import { cpuOver } from "../../tests/support/usage.ts";
import { Program } from "../programs.ts";
import { compare, limited, type Result } from "../results.ts";
import { median } from "../rounds.ts";
import { openProgram, type Setting, type Wanted } from "../setting.ts";
import { SharedGroup } from "../shared_group.ts";

/** Who hear, at the holder as at a relay. */
const HEARERS = 100;
/** Members at relays while the holder's CPU is looked at. */
const CROWD = 2_000;
/** Messages a second. */
const RATE = 50;
/** How much later than at the holder a message is heard, ms. */
const LATER = 5;
/** The holder's CPU without a crowd over that with one. */
const SAME = 0.9;

/** See the head of this file. */
export async function* relay(setting: Setting, wanted: Wanted): AsyncGenerator<Result> {
  await using group = await SharedGroup.start();
  await using client = new Program({ file: "load/zgroup_client.ts" });
  await client.ask("connect", { address: group.registry });
  if (wanted("relay-latency")) yield* latency(setting, group, client);
  if (wanted("relay-cpu")) yield* cpu(setting, group);
}

/** Time from the call to each receipt, at the holder and at a relay, of the same messages, ms. */
async function* latency(
  setting: Setting,
  group: SharedGroup,
  client: Program,
): AsyncGenerator<Result> {
  const row = "relay-latency";
  setting.progress(row);
  await using stack = new AsyncDisposableStack();
  const holder = await group.holder();
  const other = group.servers.find((server) => server !== holder)!;
  const open = async ({ address }: { readonly address: string }) =>
    stack.use(await membersAt(setting, group, "load/members.ts", address, HEARERS));
  const hearers = [await open(other), await open(holder)];
  const count = RATE * (setting.quick ? 1 : 4);
  const paced = async () => {
    for (const program of hearers) await program.ask("expect", { messages: count, times: true });
    const { calls } = await client.ask("paced", { rate: RATE, count, size: 100 });
    return await Promise.all(hearers.map(async (program) => {
      const { lost } = await program.ask<{ lost: number }>("finish");
      if (lost > 0) throw new Error(`${lost} deliveries were lost`);
      return (await program.ask<{ p50: number }>("latency", { calls })).p50;
    }));
  };
  await paced(); // warms up
  const figures: number[][] = [];
  for (let round = 0; round < setting.rounds; round++) figures.push(await paced());
  const [ours, holders] = [0, 1].map((i) => figures.map((round) => round[i]));
  const found = new Map([["ours", ours], ["at the holder", holders]]);
  yield* compare(`${row} p50`, "ms", found, {}, { lowerIsBetter: true });
  const later = median(figures.map(([here, there]) => here - there));
  yield limited(`${row} later, p50`, later, "ms", LATER);
}

/** CPU time of the holder for a message, µs, without members at relays and with a crowd of them. */
async function* cpu(setting: Setting, group: SharedGroup): AsyncGenerator<Result> {
  const row = "relay-cpu";
  setting.progress(row);
  const { pid, address } = await group.holder();
  const relays = group.servers.filter((server) => server.address !== address);
  await using stack = new AsyncDisposableStack();
  const client = stack.use(
    await openProgram(setting, { side: "ours", address: group.registry }, "load/raw.ts", {
      server: address,
    }),
  );
  const crowd = setting.quick ? 200 : CROWD;
  const seconds = setting.quick ? 1 : 4;
  const measure = async () => {
    const taken = cpuOver(pid, seconds);
    await client.ask("paced", { rate: RATE, count: RATE * seconds, size: 100 });
    const used = await taken;
    if ((await group.holder()).pid !== pid) throw new Error("Another server holds the group now");
    return used / 100 / RATE * 1e6;
  };
  const several = async () => {
    // Whoever has just come or gone is not idle yet.
    await pause(setting.quick ? 1_000 : 3_000);
    await measure(); // warms up
    const figures: number[] = [];
    for (let round = 0; round < setting.rounds; round++) figures.push(await measure());
    return figures;
  };
  const without = await several();
  for (const { address } of relays) {
    const members = crowd / relays.length;
    stack.use(await membersAt(setting, group, "load/people.ts", address, members));
  }
  const figures = new Map([["ours", await several()], ["0 members", without]]);
  const goals = { "0 members": SAME };
  const of = `${row} ${crowd.toLocaleString("en-US")} members`;
  yield* compare(of, "µs a msg", figures, goals, { lowerIsBetter: true });
}

/** So many members of a server. */
function membersAt(
  setting: Setting,
  { registry }: SharedGroup,
  file: string,
  server: string,
  members: number,
): Promise<Program> {
  return openProgram(setting, { side: "ours", address: registry }, file, { server, members });
}
