/** scale: does it stay as fast when there is more of everything? */

import { cpuOver, temporaryFolder } from "../processes.ts";
import { Program } from "../programs.ts";
import { limited, type Result } from "../results.ts";
import { median, ratioOf, rounds } from "../rounds.ts";
import { startRegistry } from "../servers.ts";
import type { Setting } from "../setting.ts";

/** publish-256 may differ by this factor between the largest and the smallest log. */
const FLAT = 0.8;
/** Longest time for one page of the list, ms. */
const PAGE_LIMIT = 20;
/** Most of a core that the registry may take for its renewals, per cent. */
const CPU_LIMIT = 20;
/** Messages of one measurement: few, so that a small log stays small. */
const MESSAGES = 4_096;

/** See the head of this file. */
export async function* scale(setting: Setting): AsyncGenerator<Result> {
  setting.progress("scale of the log");
  yield* await ofLog(setting);
  setting.progress("scale of the registry");
  yield* await ofRegistry(setting);
}

async function ofLog(setting: Setting): Promise<Result[]> {
  const sizes = setting.quick ? [10, 20_000] : [10, 1_000, 100_000];
  await using host = new Program({ file: "load/host.ts" });
  await using load = new Program({ file: "load/raw.ts" });
  await using client = new Program({ file: "load/zgroup_client.ts" });
  const programs = { host, load, client };
  const sides = sizes.map((size) => ({ name: `${size}`, measure: () => fresh(programs, size) }));
  await rounds(sides, setting.quick ? 1 : 2); // warms up
  const figures = await rounds(sides, setting.rounds);
  const smallest = figures.get(`${sizes[0]}`)!;
  return sizes.slice(1).map((size) => {
    const ours = figures.get(`${size}`)!;
    return {
      row: `scale publish-256 at ${size.toLocaleString("en-US")}`,
      ours: median(ours),
      encrypted: null,
      peer: `at ${sizes[0]}`,
      theirs: median(smallest),
      unit: "msg/s",
      ratio: ratioOf(ours, smallest),
      goal: FLAT,
    };
  });
}

/** Messages a second into a new group whose log holds so many. */
async function fresh({ host, load, client }: Record<string, Program>, size: number) {
  await using folder = await temporaryFolder();
  const { address } = await host.ask("open", { folder: folder.path });
  await load.ask("connect", { side: "zgroup", address });
  await load.ask("run", { count: size, size: 100 });
  await client.ask("connect", { address });
  const work = { inFlight: 256, size: 100, count: MESSAGES };
  const { rate } = await client.ask<{ rate: number }>("publish", work);
  await host.ask("close", { folder: folder.path });
  return rate;
}

async function ofRegistry(setting: Setting): Promise<Result[]> {
  const [listed, renewing] = setting.quick ? [2_000, 1_000] : [10_000, 1_000];
  await using folder = await temporaryFolder();
  await using registry = await startRegistry(folder.path);
  await using groups = new Program({ file: "load/groups.ts" });
  await groups.ask("register", { address: registry.ready[1], count: listed });
  const pages: number[] = [];
  for (let round = 0; round < setting.rounds; round++) {
    const found = await groups.ask<{ pages: number[]; groups: number }>("list");
    if (found.groups !== listed) throw new Error(`${found.groups} groups of ${listed} are listed`);
    pages.push(...found.pages);
  }
  await groups.ask("renew", { count: renewing });
  const cpu = await cpuOver(registry.pid, setting.quick ? 3 : 10);
  return [
    limited(
      `scale list page of ${listed.toLocaleString("en-US")}`,
      median(pages),
      "ms",
      PAGE_LIMIT,
    ),
    limited("scale 1,000 renewals a second", cpu, "% CPU", CPU_LIMIT),
  ];
}
