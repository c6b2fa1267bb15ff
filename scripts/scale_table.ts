/** What `deno task scale` shows of a world: looked at once a second, then laid out as lines. */

import { setTimeout } from "node:timers/promises";
import type { World } from "../tests/faults/support/world.ts";
import { connections, type Health, Meter, type Thing } from "../tests/faults/support/things.ts";

/** A whole look, a row for each thing, and the crowd. */
export interface Look {
  readonly databases: readonly (Row & { readonly role: string; readonly lag: string })[];
  readonly registries: readonly Row[];
  readonly servers: readonly (Row & ServerRow)[];
  readonly crowd: CrowdRow | undefined;
}

interface Row {
  readonly name: string;
  readonly address: string;
  readonly health: Health;
  /** Share of a core, per cent. */
  readonly cpu: number;
  /** MiB. */
  readonly memory: number;
}

interface ServerRow {
  readonly part: string;
  /** Connections to its port. */
  readonly connected: number;
  /** Undefined where it does not answer. */
  readonly head: number | undefined;
}

interface CrowdRow {
  readonly members: number;
  readonly sent: number;
  readonly acked: number;
  readonly heard: number;
  readonly lost: number;
  readonly twice: number;
  /** The longest that a member was told nothing, lately and at all, ms. */
  readonly gap: number;
  readonly longest: number;
}

/** The crowd and the database answer within this, ms, or are shown as they were. */
const WITHIN = 700;

/** Looks at a world. */
export class Looker {
  readonly #world: World;
  readonly #meters = new Map<Thing, Meter>();
  #standbys: ReadonlyMap<string, { sync: string; lag: number }> = new Map();
  #asking: Promise<void> | undefined;
  /** The longest that a member was told nothing, ms. */
  #longest = 0;
  #crowdIsThere = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** From now on the crowd is looked at. */
  meet(): void {
    this.#crowdIsThere = true;
  }

  async look(): Promise<Look> {
    const { databases, registries, servers, watcher } = this.#world;
    const open = connections();
    const [stands, crowd] = await Promise.all([
      Promise.all(
        servers.map(({ address, health }) =>
          health === "up" ? watcher.stand(address, WITHIN) : undefined
        ),
      ),
      this.#crowd(),
      this.#askPrimary(),
    ]);
    return {
      databases: databases.map((one) => {
        const standby = this.#standbys.get(one.name);
        const isFormer = !one.node.standby && !one.isPrimary;
        return {
          ...this.#row(one, one.node.address),
          role: one.isPrimary
            ? "primary"
            : isFormer
            ? "former primary"
            : standby?.sync ?? "standby",
          lag: one.isPrimary || !standby || one.health !== "up" ? "" : bytes(standby.lag),
        };
      }),
      registries: registries.map((one) => this.#row(one, one.address)),
      servers: servers.map((one, i) => ({
        ...this.#row(one, one.address),
        part: one.health === "dead" ? "" : one.part,
        connected: open.get(Number(one.address.split(":")[1])) ?? 0,
        head: stands[i]?.head,
      })),
      crowd,
    };
  }

  #row(thing: Thing, address: string): Row {
    let meter = this.#meters.get(thing);
    if (!meter) this.#meters.set(thing, meter = new Meter());
    const { name, health } = thing;
    return { name, address, health, ...meter.read(thing.pids) };
  }

  async #crowd(): Promise<CrowdRow | undefined> {
    if (!this.#crowdIsThere) return undefined;
    const { crowd } = this.#world;
    const counts = await crowd.counts(WITHIN);
    const sum = (of: (count: typeof counts[number]) => number) =>
      counts.reduce((total, count) => total + of(count), 0);
    const gap = Math.max(0, ...counts.map(({ slowest }) => slowest));
    this.#longest = Math.max(this.#longest, gap);
    const { acked, waiting } = crowd.ledger;
    return {
      members: sum(({ members }) => members),
      sent: acked + waiting.length,
      acked,
      heard: sum(({ heard }) => heard),
      lost: sum(({ gaps }) => gaps),
      twice: sum(({ again }) => again),
      gap,
      longest: this.#longest,
    };
  }

  /** What the primary says of its standbys; one that hangs is not waited for. */
  async #askPrimary(): Promise<void> {
    const primary = this.#world.databases.find((one) => one.isPrimary && one.health === "up");
    if (!primary) {
      this.#standbys = new Map();
      return;
    }
    this.#asking ??= primary.node.query(
      "SELECT application_name AS name, sync_state AS sync, " +
        "pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn)::float8 AS lag " +
        "FROM pg_stat_replication",
    ).then((rows) => {
      this.#standbys = new Map(
        rows.map(({ name, sync, lag }) => [String(name), { sync: String(sync), lag: Number(lag) }]),
      );
    }).catch(() => {}).finally(() => (this.#asking = undefined));
    const late = setTimeout(WITHIN);
    await Promise.race([this.#asking, late]);
  }
}

/** The lines of a table. */
export function tableOf({ databases, registries, servers, crowd }: Look): string[] {
  const head = Math.max(0, ...servers.map((one) => one.part === "holder" ? one.head ?? 0 : 0));
  const rows = [
    ["database", "", "role", "lag", "", "CPU", "memory"],
    ...databases.map((one) => [...nameOf(one), one.role, one.lag, "", ...costs(one)]),
    [],
    ["registry", "", "", "", "", "CPU", "memory"],
    ...registries.map((one) => [...nameOf(one), "", "", "", ...costs(one)]),
    [],
    ["server", "", "part", "connected", "head", "CPU", "memory"],
    ...servers.map((one) => [
      ...nameOf(one),
      one.part,
      count(one.connected),
      one.head === undefined ? "silent" : count(one.head) + behind(head - one.head),
      ...costs(one),
    ]),
  ];
  const widths = Array.from(
    { length: 7 },
    (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row.map((cell, i) => i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
      .trimEnd()
  );
  return crowd ? [...lines, "", ...crowdLines(crowd)] : lines;
}

/** The same in one line. */
export function lineOf({ databases, servers, crowd }: Look): string {
  const named = (one: Row, what: string) =>
    `${one.name} ${one.health === "up" ? what : one.health}`.trim();
  const parts = [
    databases.map((one) => named(one, `${one.role} ${one.lag}`.trim())).join(", "),
    servers.map((one) => named(one, `${one.part} ${one.head ?? "silent"} (${one.connected})`))
      .join(", "),
    ...(crowd ? crowdLines(crowd) : []),
  ];
  return parts.join(" | ");
}

function crowdLines(crowd: CrowdRow): string[] {
  const { members, sent, acked, heard, lost, twice, gap, longest } = crowd;
  return [
    `${count(members)} members: sent ${count(sent)}, acknowledged ${count(acked)}, ` +
    `heard ${count(heard)}`,
    `lost ${lost}, twice ${twice}; nothing heard for at most ${seconds(gap)}, ` +
    `since the start ${seconds(longest)}`,
  ];
}

function nameOf({ name, address, health }: Row): [string, string] {
  return [health === "up" ? name : `${name} (${health})`, address];
}

function costs({ cpu, memory, health }: Row): [string, string] {
  return health === "dead" ? ["", ""] : [`${Math.round(cpu)} %`, `${Math.round(memory)} MiB`];
}

function behind(by: number): string {
  return by > 0 ? ` (-${by})` : "";
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function bytes(value: number): string {
  return value < 1_024 ? `${value} B` : `${count(Math.round(value / 1_024))} KiB`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
