/** What the bench finds, and how it is printed. */

import { type Figures, median, ratioOf } from "./rounds.ts";
import type { SideName } from "./servers.ts";

/** One line of the table. */
export interface Result {
  readonly row: string;
  readonly ours: number;
  /** The same with encryption on; null where it makes no difference or was not measured. */
  readonly encrypted: number | null;
  readonly peer: string | null;
  readonly theirs: number | null;
  readonly unit: string;
  /** How many times better ours is than theirs, or than the goal's limit; null without either. */
  readonly ratio: number | null;
  /** Ratio to reach. */
  readonly goal: number | null;
}

/** Ratio to reach beside each peer. */
export type Goals = Readonly<Partial<Record<SideName, number>>>;

/** A line for each peer that was measured; one without a peer when none was. */
export function compare(
  row: string,
  unit: string,
  figures: Figures,
  goals: Goals,
  { lowerIsBetter = false } = {},
): Result[] {
  const ours = figures.get("zgroup")!;
  const curve = figures.get("zgroup-curve");
  const common = { row, ours: median(ours), encrypted: curve ? median(curve) : null, unit };
  const peers = [...figures.keys()].filter((name) => name === "nats" || name === "redis");
  if (peers.length === 0) return [{ ...common, peer: null, theirs: null, ratio: null, goal: null }];
  return peers.map((peer) => {
    const theirs = figures.get(peer)!;
    const ratio = lowerIsBetter ? ratioOf(theirs, ours) : ratioOf(ours, theirs);
    return {
      ...common,
      peer,
      theirs: median(theirs),
      ratio,
      goal: goals[peer as SideName] ?? null,
    };
  });
}

/** What cannot be told from nothing, in any unit. */
const RESOLUTION = 0.1;

/** A figure of ours that should not pass a limit. */
export function limited(row: string, ours: number, unit: string, limit: number): Result {
  const common = { encrypted: null, peer: "limit", theirs: limit, goal: 1 };
  return { row, ours, unit, ...common, ratio: limit / Math.max(ours, RESOLUTION) };
}

const HEAD = ["row", "ours", "encrypted", "peer", "theirs", "unit", "ratio", "goal", ""];

/** The results as a table that is Markdown, too. */
export function table(results: readonly Result[]): string {
  const lines = [HEAD, ...results.map(cells)];
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const text = lines.map((line) =>
    `| ${
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(" | ")
    } |`
  );
  const rule = `|${
    widths.map((width, i) => i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`).join(
      "|",
    )
  }|`;
  return [text[0], rule, ...text.slice(1)].join("\n");
}

function cells({ row, ours, encrypted, peer, theirs, unit, ratio, goal }: Result): string[] {
  const verdict = ratio === null || goal === null ? "" : ratio >= goal ? "ok" : "misses";
  return [
    row,
    figure(ours),
    figure(encrypted),
    peer ?? "",
    figure(theirs),
    unit,
    ratio === null ? "" : ratio.toFixed(2),
    goal === null ? "" : `${goal}`,
    verdict,
  ];
}

function figure(value: number | null): string {
  if (value === null) return "";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}
