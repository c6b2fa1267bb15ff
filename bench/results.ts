/** What the bench finds, and how it is printed. */

import { type Figures, median, ratioOf } from "./rounds.ts";

/** One line of the table. */
export interface Result {
  readonly row: string;
  readonly ours: number;
  /** A side, `limit`, or another row; null where there is nothing to compare with. */
  readonly peer: string | null;
  readonly theirs: number | null;
  readonly unit: string;
  /** How many times better ours is than theirs, or than the goal's limit; null without either. */
  readonly ratio: number | null;
  /** Ratio to reach. */
  readonly goal: number | null;
  /** Said in place of `theirs`: why there is no figure. */
  readonly note?: string;
}

/** Ratio to reach beside each peer. */
export type Goals = Readonly<Record<string, number>>;

/** What ours has to reach beside the version before where nothing else is said. */
export const NOT_SLOWER = 0.95;

/** A line for each peer that was measured; one without a peer when none was. */
export function compare(
  row: string,
  unit: string,
  figures: Figures,
  goals: Goals = {},
  { lowerIsBetter = false } = {},
): Result[] {
  const ours = figures.get("ours")!;
  const common = { row, ours: median(ours), unit };
  const peers = [...figures.keys()].filter((name) => name !== "ours");
  if (peers.length === 0) return [{ ...common, peer: null, theirs: null, ratio: null, goal: null }];
  return peers.map((peer) => {
    const theirs = figures.get(peer)!;
    return {
      ...common,
      peer,
      theirs: median(theirs),
      ratio: lowerIsBetter ? ratioOf(theirs, ours) : ratioOf(ours, theirs),
      goal: goals[peer] ?? (peer === "before" ? NOT_SLOWER : null),
    };
  });
}

/** What cannot be told from nothing, in any unit. */
const RESOLUTION = 0.1;

/** A figure of ours that should not pass a limit. */
export function limited(row: string, ours: number, unit: string, limit: number): Result {
  const ratio = limit / Math.max(ours, RESOLUTION);
  return { row, ours, unit, peer: "limit", theirs: limit, goal: 1, ratio };
}

/** A figure of ours that should reach a limit. */
export function reached(row: string, ours: number, unit: string, limit: number): Result {
  return { row, ours, unit, peer: "limit", theirs: limit, goal: 1, ratio: ours / limit };
}

/** A figure of ours that should be 0. */
export function none(row: string, ours: number, unit: string): Result {
  return { row, ours, unit, peer: "limit", theirs: 0, goal: 1, ratio: ours === 0 ? 1 : 0 };
}

/** Figures that are measured once, smaller ones being better; undefined where a side has none. */
export function once(
  row: string,
  unit: string,
  figures: Readonly<Record<string, number | undefined>>,
  goals?: Goals,
): Result[] {
  const found = Object.entries(figures).flatMap(([name, figure]) =>
    figure === undefined ? [] : [[name, [Math.max(figure, RESOLUTION)]] as const]
  );
  return compare(row, unit, new Map(found), goals, { lowerIsBetter: true });
}

const HEAD = ["row", "ours", "peer", "theirs", "unit", "ratio", "goal", ""];

/** The results as a table that is Markdown, too. */
export function table(results: readonly Result[]): string {
  return markdown(HEAD, results.map(cells));
}

function cells({ row, ours, peer, theirs, unit, ratio, goal, note }: Result): string[] {
  const verdict = ratio === null || goal === null ? "" : ratio >= goal ? "ok" : "misses";
  return [
    row,
    figure(ours),
    peer ?? "",
    note ?? figure(theirs),
    unit,
    ratio === null ? "" : ratio.toFixed(2),
    goal === null ? "" : `${goal}`,
    verdict,
  ];
}

/** What ours takes less than the version before, row by row: for rates, the time of one. */
export function differences(results: readonly Result[]): string {
  const lines = results.flatMap(({ row, peer, ours, theirs, unit }) => {
    if (!peer?.startsWith("before") || theirs === null) return [];
    const [, each] = /^(.*)\/s$/.exec(unit) ?? [];
    const [old, now] = each ? [1e6 / theirs, 1e6 / ours] : [theirs, ours];
    const short = each?.replace("deliveries", "delivery").replace("entries", "entry");
    const measure = short ? `µs a ${short}` : unit;
    return [[row, peer, figure(old), figure(now), figure(old - now), measure]];
  });
  return markdown(["row", "before", "took", "takes", "less", "unit"], lines);
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i].length), 1));
  const pad = (cell: string, i: number) => i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]);
  const rule = widths.map((width, i) => i ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2));
  const text = lines.map((line) => `| ${line.map(pad).join(" | ")} |`);
  return [text[0], `|${rule.join("|")}|`, ...text.slice(1)].join("\n");
}

function figure(value: number | null): string {
  if (value === null) return "";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return Math.abs(value) < 1e-6 ? "0" : value.toPrecision(3);
}
