/** Where `start` meets others: as it was given, where its servers run, or as last time. */

import { UsageError } from "../errors.ts";
import type { StartedFile } from "../protocol/kept.ts";
import {
  checkedRegistry,
  DEFAULT_REGISTRY,
  formatAddress,
  isOwnOnly,
  parseAddress,
} from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { wholeNumber } from "./args.ts";
import { askedRegistries, homeOption } from "./home.ts";
import type { Call, UserDoors } from "./program.ts";
import type { Served } from "./servers.ts";

/** Where one meets others. */
export interface Meeting {
  readonly registries: readonly string[];
  /** Where a registry of one's own is to be; undefined where others' were given. */
  readonly own: string | undefined;
  /** Where one's own servers listen. */
  readonly host: string | undefined;
  /** What was given now, and is taken again. */
  readonly given?: StartedFile;
  /** What is typed for a registry of one's own, where nothing was given and it is as last time. */
  readonly alone?: string;
}

/**
 * Where to meet: given, else where this folder's servers are, else as last time, else this machine's
 * own place.
 */
export async function meetingOf(call: Call, folder: string): Promise<Meeting> {
  const { given, home, doors } = call;
  const host = checkedOwnHost(given.texts.get("host"), doors.addresses);
  const port = wholeNumber(given, "port", 1, 65_535);
  const asked = askedRegistries(given);
  if (asked.length > 0 && (given.lists.has("registry") || (port ?? host) === undefined)) {
    const said = given.lists.has("registry")
      ? { given: { registries: asked, ...(host === undefined ? {} : { host }) } }
      : {};
    if (port === undefined) return { registries: asked, own: undefined, host, ...said };
    throw new UsageError(
      "Cannot use --port with --registry: it is the port of a registry of one's own, leave out one",
    );
  }
  const ownAt = (host: string | undefined, port: number | undefined) => {
    const standard = parseAddress(DEFAULT_REGISTRY)!;
    const own = formatAddress({ host: host ?? standard.host, port: port ?? standard.port });
    return { registries: [own], own, host };
  };
  if (host !== undefined) {
    return { ...ownAt(host, port), given: { host, ...(port === undefined ? {} : { port }) } };
  }
  if (port !== undefined) return ownAt(host, port);
  const running = (await runningIn([folder, home], doors)).find(({ registry }) => registry);
  if (running) {
    return { registries: [running.registry!.address], own: running.registry!.address, host };
  }
  return await meetingAgain(call, folder, ownAt) ?? ownAt(host, port);
}

/** Where one met others last, unless that was at this machine's own place. @throws {UsageError} */
async function meetingAgain(
  { given, home, doors }: Call,
  folder: string,
  ownAt: (host: string | undefined, port: number | undefined) => Meeting,
): Promise<Meeting | undefined> {
  const last = await doors.startedWith(folder) ?? await doors.startedWith(home) ?? {};
  const { registries, port } = last;
  if (!registries && port === undefined && isOwnOnly(last.host ?? "localhost")) return undefined;
  const type = (host: string) => `"${doors.typed(`start --host ${host}${homeOption(given)}`)}"`;
  const host = checkedOwnHost(
    last.host,
    doors.addresses,
    (host, own) =>
      `Cannot start at ${host} as last time: this machine has that address no more, it has ${own}; ` +
      `choose one of them with ${type("ADDRESS")}`,
  );
  for (const registry of registries ?? []) checkedRegistry("the registry of last time", registry);
  const meeting = registries ? { registries, own: undefined, host } : ownAt(host, port);
  return { ...meeting, alone: type("127.0.0.1") };
}

/** What was given now is what counts when nothing is. */
export async function remember(
  { given }: Meeting,
  folder: string,
  doors: UserDoors,
): Promise<void> {
  if (given) await doors.keepStarted(folder, given);
}

/** What runs in folders, each looked at once. */
export async function runningIn(folders: readonly string[], doors: UserDoors): Promise<Served[]> {
  const all = await Promise.all([...new Set(folders)].map(async (home) => {
    const servers = await doors.servers({ home, registries: [], transport: undefined });
    return await servers.look();
  }));
  return all.filter((served) => served !== undefined);
}

/** An address of this machine, as others reach it. @throws {UsageError} */
function checkedOwnHost(
  typed: string | undefined,
  addresses: () => string[],
  wrong = (host: string, own: string) =>
    `Cannot use --host ${host}: expected an address of this machine, ${own}`,
): string | undefined {
  if (typed === undefined) return undefined;
  const host = typed.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const own = addresses();
  if (own.includes(host)) return host;
  throw new UsageError(wrong(safeLine(typed), own.join(", ")));
}
