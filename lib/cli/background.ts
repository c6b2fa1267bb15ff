/** Servers in the background: started by `start --detach`, shown by `status`, ended by `stop`. */

import { sentence } from "../errors.ts";
import { isOwnOnly, parseAddress } from "../text/addresses.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import { atMost, columns } from "./args.ts";
import { hostedNoMore, notServed } from "./commands/servers.ts";
import { homeOption } from "./home.ts";
import type { Call } from "./program.ts";
import { failed, notice } from "./render.ts";
import { servedFields, servedLines } from "./render_servers.ts";
import type { Served, Servers } from "./servers.ts";

/** What others type to come, where they reach the registry, or `always`. */
export function elsewhere(
  { doors }: Pick<Call, "doors">,
  { registry }: Pick<Served, "registry">,
  always = false,
): (readonly [string, string])[] {
  if (!registry) return [];
  if (!always && isOwnOnly(parseAddress(registry.address)?.host ?? "")) return [];
  const { address, key } = registry;
  return [["on another machine", doors.typed(`start --registry ${address}#${key}`)]];
}

/** What to type next, where servers run in the background. */
export function nextSteps(
  { given, doors }: Pick<Call, "given" | "doors">,
): (readonly [string, string])[] {
  const type = (command: string) => doors.typed(`${command}${homeOption(given)}`);
  return [
    ["to talk", type("start")],
    ["to see what runs", type("status")],
    ["to end it", type("stop")],
  ];
}

/** Runs `status`; the exit code. */
export async function status(call: Call): Promise<number> {
  const { given, output } = call;
  atMost(given.positionals, 1);
  const running = await lookAll(call);
  const json = given.flags.has("json");
  for (const { served } of running) {
    await output.print(
      json
        ? safeJson(servedFields(served))
        : [...servedLines(served).map(safeLine), ...columns(elsewhere(call, served))].join("\n"),
    );
  }
  if (running.length > 0) return 0;
  if (json) await output.print(safeJson({ running: false, folder: call.home }));
  else await output.print(notice(`${nothing(call)}; ${detaching(call)} starts them`, output.style));
  return 0;
}

/** Runs `stop`; the exit code. */
export async function stop(call: Call): Promise<number> {
  const { given, output } = call;
  atMost(given.positionals, 2);
  const [, name] = given.positionals;
  const json = given.flags.has("json");
  const say = (fields: object, text: string) =>
    output.print(json ? safeJson(fields) : notice(text, output.style));
  if (name !== undefined) {
    const found: boolean[] = [];
    for (const { servers } of await all(call)) found.push(await servers.unhost(name));
    if (found.includes(true)) await say({ stopped: name }, hostedNoMore(name));
    else await output.complain(failed(notServed(name)));
    return found.includes(true) ? 0 : 1;
  }
  const running = await lookAll(call);
  for (const { served, servers } of running.filter(({ served }) => served.background)) {
    await servers.stop();
    await say({ stopped: served.folder, pid: served.pid }, `ended: ${summary(served)}`);
  }
  if (running.length === 0) await say({ stopped: null }, nothing(call));
  for (const { served } of running.filter(({ served }) => !served.background)) {
    await output.complain(failed(
      `Cannot stop the servers of ${served.folder}: they belong to the terminal that started ` +
        `them, and end with it (exit there); ${detaching(call)} lets them go on without it`,
    ));
  }
  return running.every(({ served }) => served.background) ? 0 : 1;
}

/** What runs, in a few words. */
export function summary({ registry, groups }: Served): string {
  return [
    ...(registry ? [`registry ${registry.address}`] : []),
    ...groups.map(({ name, address }) => `${safeLine(name)} ${address}`),
  ].join(", ") || "no server";
}

function detaching({ given, doors }: Call): string {
  return `"${doors.typed(`start --detach${homeOption(given)}`)}"`;
}

function nothing({ home }: Call): string {
  return `no servers of ${home} run`;
}

/** The servers of the home and of its profiles. */
async function all({ home, doors }: Call) {
  const folders = await doors.foldersOf(home);
  const where = { registries: [], transport: undefined };
  return await Promise.all(folders.map(async (folder) => ({
    folder,
    servers: await doors.servers({ ...where, home: folder }),
  })));
}

async function lookAll(call: Call): Promise<{ servers: Servers; served: Served }[]> {
  const found = await Promise.all((await all(call)).map(async ({ folder, servers }) => {
    const served = await servers.look().catch(async (error) => {
      await call.output.complain(failed(`${folder}: ${sentence(error)}`));
      return undefined;
    });
    return { servers, served };
  }));
  return found.flatMap(({ servers, served }) => served ? [{ servers, served }] : []);
}
