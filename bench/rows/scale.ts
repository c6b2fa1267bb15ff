/** scale: does it stay as fast when there is more of everything? */

import { Folder } from "../../tests/support/folder.ts";
import { cpuOver } from "../../tests/support/usage.ts";
import type { Program } from "../programs.ts";
import { compare, limited, once, type Result } from "../results.ts";
import { type Figures, median, ratioOf, rounds, type Side } from "../rounds.ts";
import { type SideName, startRegistry } from "../servers.ts";
import { programFor, type Setting, sideFor } from "../setting.ts";

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
  const names: SideName[] = ["ours", ...(setting.before ? ["before" as const] : [])];
  setting.progress("scale of the log");
  yield* await ofLog(setting, names);
  setting.progress("scale of the registry");
  yield* await ofRegistry(setting, names);
}

async function ofLog(setting: Setting, names: readonly SideName[]): Promise<Result[]> {
  const sizes = setting.quick ? [10, 20_000] : [10, 1_000, 100_000];
  await using stack = new AsyncDisposableStack();
  const sides: Side[] = [];
  for (const name of names) {
    const open = (file: string) => stack.use(programFor(setting, name, file));
    const side = sideFor(setting, name);
    const programs = {
      host: open("load/host.ts"),
      load: open("load/raw.ts"),
      client: open("load/zgroup_client.ts"),
    };
    for (const size of sizes) {
      sides.push({ name: `${name} ${size}`, measure: () => fresh(programs, side, size) });
    }
  }
  await rounds(sides, setting.quick ? 1 : 2); // warms up
  const figures = await rounds(sides, setting.rounds);
  const smallest = figures.get(`ours ${sizes[0]}`)!;
  return sizes.flatMap((size) => {
    const row = `scale publish-256 at ${size.toLocaleString("en-US")}`;
    const ours = figures.get(`ours ${size}`)!;
    const beside = compare(row, "msg/s", of(figures, names, size));
    if (size === sizes[0]) return beside;
    return [
      {
        ...{ row, ours: median(ours), peer: `at ${sizes[0]}`, theirs: median(smallest) },
        ...{ unit: "msg/s", ratio: ratioOf(ours, smallest), goal: FLAT },
      },
      ...beside.filter(({ peer }) => peer !== null),
    ];
  });
}

/** Figures of one size by side. */
function of(figures: Figures, names: readonly SideName[], size: number): Figures {
  const found = names.map((name) => [name, figures.get(`${name} ${size}`)] as const);
  return new Map(found.flatMap(([name, one]) => one ? [[name, one] as const] : []));
}

/** Messages a second into a new group whose log holds so many. */
async function fresh({ host, load, client }: Record<string, Program>, side: string, size: number) {
  await using folder = new Folder();
  const { address } = await host.ask("open", { folder: folder.path });
  await load.ask("connect", { side, address });
  await load.ask("run", { count: size, size: 100 });
  await client.ask("connect", { address });
  const work = { inFlight: 256, size: 100, count: MESSAGES };
  const { rate } = await client.ask<{ rate: number }>("publish", work);
  await host.ask("close", { folder: folder.path });
  return rate;
}

async function ofRegistry(setting: Setting, names: readonly SideName[]): Promise<Result[]> {
  const [listed, renewing] = setting.quick ? [2_000, 1_000] : [10_000, 1_000];
  await using stack = new AsyncDisposableStack();
  const opened: { name: SideName; pid: number; groups: Program }[] = [];
  for (const name of names) {
    const folder = stack.use(new Folder());
    const tree = name === "before" ? setting.before : undefined;
    const registry = stack.use(await startRegistry(folder.path, tree));
    const groups = stack.use(programFor(setting, name, "load/groups.ts"));
    await groups.ask("register", { address: registry.ready[1], count: listed });
    opened.push({ name, pid: registry.pid, groups });
  }
  const pages = await rounds(
    opened.map(({ name, groups }) => ({ name, measure: () => pageOf(groups, listed) })),
    setting.rounds,
  );
  const cpu: Partial<Record<SideName, number>> = {};
  for (const { name, pid, groups } of opened) {
    await groups.ask("renew", { count: renewing });
    cpu[name] = await cpuOver(pid, setting.quick ? 3 : 10);
    await groups[Symbol.asyncDispose]();
  }
  const ofPages = `scale list page of ${listed.toLocaleString("en-US")}`;
  const ofRenewals = "scale 1,000 renewals a second";
  const peer = ({ peer }: Result) => peer !== null;
  return [
    limited(ofPages, median(pages.get("ours")!), "ms", PAGE_LIMIT),
    ...compare(ofPages, "ms", pages, {}, { lowerIsBetter: true }).filter(peer),
    limited(ofRenewals, cpu.ours!, "% CPU", CPU_LIMIT),
    ...once(ofRenewals, "% CPU", cpu).filter(peer),
  ];
}

/** Milliseconds for a page of the whole list. */
async function pageOf(groups: Program, listed: number): Promise<number> {
  const found = await groups.ask<{ pages: number[]; groups: number }>("list");
  if (found.groups !== listed) throw new Error(`${found.groups} groups of ${listed} are listed`);
  return median(found.pages);
}
