/** THE table of a registry's operations: what each costs, what is logged, how it is answered. Pure. */

import { isIP } from "node:net";
import { Refusal } from "../errors.ts";
import { verifies } from "../identity/keys.ts";
import { unregisterText } from "../protocol/record.ts";
import type {
  GroupRecord,
  REGISTRY_REPLIES,
  RegistryRequest,
  ReplyOf,
} from "../protocol/schema.ts";
import type { TakenName } from "../store/name_store.ts";
import { formatAddress, isAt, isOwnOnly, parseAddress, plainIp } from "../text/addresses.ts";
import { typedName } from "../text/names.ts";
import { FREE_AFTER, GROUPS_A_REQUEST } from "./bounds.ts";
import type { RegistryState } from "./state.ts";

/** What only dialects ask for: a lease without a key. */
interface DialectFields {
  readonly register_keyless: { readonly name: string; readonly address: string };
}

/** Everything that can be asked. */
export type Op = RegistryRequest["op"] | keyof DialectFields;

type Fields<K extends Op> = K extends keyof DialectFields ? DialectFields[K]
  : Omit<Extract<RegistryRequest, { op: K }>, "id" | "op">;

/** Who asks. */
interface Asked<K extends Op> {
  readonly op: K;
  /** Empty where the engine cannot tell. */
  readonly ip: string;
  /** Whom a dialect names; it hears of groups that speak dialects. */
  readonly user?: string;
}

/** A checked request of any front: a plain value. */
export type Request<K extends Op = Op> = { [P in K]: Asked<P> & Fields<P> }[K];

/** What is answered. */
export type Reply<K extends Op> = K extends keyof typeof REGISTRY_REPLIES
  ? ReplyOf<typeof REGISTRY_REPLIES, K>
  : Record<never, never>;

/** The time: `clock` never jumps, and leases are measured by it; records expire by the `date`. */
export interface Time {
  /** ms. */
  readonly clock: number;
  /** ms since 1970. */
  readonly date: number;
}

/** What a request comes to. */
export interface Outcome<R> {
  readonly reply: R;
  /** Logged. */
  readonly line?: string;
  /** A name that is to be kept from now on. */
  readonly taken?: TakenName;
  /** The reply waits until this name is on disk. */
  readonly name?: string;
  /** What it costs as well, requests. */
  readonly cost?: number;
  /** Logged as a warning, with the registry's address: somebody has to do something about it. */
  readonly warning?: (registry: string) => string;
  /** Where the registry sees for itself whether others can connect. */
  readonly place?: Place;
}

/** A lease that was taken, and where it was taken from. */
export interface Place {
  readonly record: GroupRecord;
  /** `HOST:PORT`: the IP of who asked, and no other, with the port of the record. */
  readonly address: string;
}

/** One operation's row. Beside what it says a request costs its IP 1. */
export interface Operation<K extends Op> {
  /** Logged whatever it comes to, at `debug`: it comes all the time. */
  line?(request: Request<K>): string;
  /** Logged with the code where it is refused. */
  refused?(request: Request<K>): string;
  /** Costs nothing. */
  isFree?(state: RegistryState, request: Request<K>, time: Time): boolean;
  /** Answered for each connection one after the other, and only while it takes what it has. */
  readonly paced?: true;
  /** True if it costs the IP one of its new names. */
  isNewName?(state: RegistryState, request: Request<K>): boolean;
  /** Changes the state, or throws a Refusal and does not. */
  answer(state: RegistryState, request: Request<K>, time: Time): Outcome<Reply<K>>;
}

/** THE table. */
export const OPERATIONS: { readonly [K in Op]: Operation<K> } = {
  ping: { answer: (_state, _request, { date }) => ({ reply: { at: date } }) },
  register: {
    // A group that renews in time, as it should.
    isFree(state, { record }, { clock }) {
      const renewed = state.renewedAt(record);
      return renewed !== undefined && clock - renewed >= FREE_AFTER;
    },
    isNewName: (state, { record }) => !state.isTaken(record.name),
    refused: ({ record }) => joinLine(record),
    answer(state, { record, plain, ip }, { clock, date }) {
      const { name, key } = record;
      const outcome = state.register(record, ip, clock, date, plain);
      const from = ip === "" ? {} : { from: plainIp(ip) };
      if (outcome === "renewed") {
        const reached = state.isReached(record);
        return { reply: { ...from, ...(reached === undefined ? {} : { reached }) }, name };
      }
      const place = placeOf(record, ip);
      return {
        reply: from,
        name,
        line: joinLine(record),
        ...(outcome === "taken" ? { taken: { name, key, seen: date } } : {}),
        ...(isOutOfReach(record, ip) ? { warning: outOfReach(record, ip) } : {}),
        ...(place ? { place } : {}),
      };
    },
  },
  unregister: {
    answer(state, { group, version, server, sig }) {
      const record = state.recordOf(group, server);
      if (!record) return { reply: {} };
      if (!verifies(record.key, unregisterText(group, version, server), sig)) {
        throw new Refusal("bad_signature", "Cannot unregister: the signature does not verify");
      }
      if (!state.unregister(group, version, server)) return { reply: {} };
      return { reply: {}, line: `LEAVE REQUEST FROM ${record.address} (${record.name})` };
    },
  },
  list: {
    paced: true,
    line: ({ ip, user }) => `GROUP LIST REQUEST FROM ${user ?? (ip || "unknown")}`,
    answer(state, { user, ...range }, { clock }) {
      const page = state.list({ ...range, plain: user !== undefined }, clock);
      const servers = page.groups.map(({ servers = [] }) => 1 + servers.length);
      const all = servers.reduce((sum, count) => sum + count, 0);
      return { reply: page, cost: all / GROUPS_A_REQUEST };
    },
  },
  resolve: {
    line: ({ ip, group }) => `GROUP REQUEST FROM ${ip || "unknown"} (${group})`,
    answer(state, { group }, { clock }) {
      const listing = state.resolve(group, clock);
      if (listing) return { reply: { group: listing } };
      throw new Refusal("not_found", "Cannot find that group: no group of that name is listed");
    },
  },
  register_keyless: {
    isNewName: (state, { name, address }) => !state.isPlace(name, address),
    refused: joinLine,
    answer(state, { name, address, ip }, { clock }) {
      state.registerKeyless(name, address, ip, clock);
      return { reply: {}, name, line: joinLine({ name, address }) };
    },
  },
};

/** Whether a group says that it is at an address that its own machine has for itself. */
function isOutOfReach({ address }: GroupRecord, ip: string): boolean {
  const host = parseAddress(address)?.host;
  return host !== undefined && isOwnOnly(host) && ip !== "" && !isOwnOnly(ip);
}

function outOfReach({ name, address }: GroupRecord, ip: string): (registry: string) => string {
  const { port } = parseAddress(address)!;
  const reached = formatAddress({ host: plainIp(ip), port });
  return (registry) =>
    `Others cannot reach ${name}: it says that it is at ${address}, which is its own machine's ` +
    `alone; start it there as group.ts ${typedName(name)} ${reached} --registry ${registry}`;
}

/**
 * Where to try a connection: at the IP that asked, never elsewhere because somebody said so. A group
 * at its own machine, or one at another IP than it asks from, is not tried.
 */
function placeOf(record: GroupRecord, ip: string): Place | undefined {
  const endpoint = parseAddress(record.address);
  if (!endpoint || ip === "" || isOwnOnly(ip) || isOwnOnly(endpoint.host)) return undefined;
  if (isIP(endpoint.host) !== 0 && !isAt(record.address, ip)) return undefined;
  return { record, address: formatAddress({ host: plainIp(ip), port: endpoint.port }) };
}

function joinLine({ name, address }: { readonly name: string; readonly address: string }): string {
  return `JOIN REQUEST FROM ${address} (${name})`;
}
