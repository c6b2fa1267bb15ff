/**
 * `known.json`: the second copy of whom a user knows. A `user.db` that is lost, older or not what
 * was written is noticed by it, and made again from it.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { load, save } from "../disk/files.ts";
import { FolderUnusable } from "../errors.ts";
import { keptProblem, type KnownFile } from "../protocol/kept.ts";

/** What is kept twice. */
export type Known = Omit<KnownFile, "sum">;

/** Where a home keeps the second copy. */
export function knownPath(folder: string): string {
  return join(folder, "known.json");
}

/** What a folder's file says; undefined when there is none. @throws {FolderUnusable} damaged */
export function loadKnown(folder: string): Known | undefined {
  return load<KnownFile>(knownPath(folder), {
    problem: (value) => {
      const problem = keptProblem("known", value);
      if (problem !== undefined) return problem;
      return (value as KnownFile).sum === sumOf(value as KnownFile)
        ? undefined
        : "its sum is wrong";
    },
    wayOut: "the next command makes it again from user.db",
  });
}

/** The second copy; one that cannot be read is made again, as long as the first is whole. */
export function copyIn(folder: string): Known | "damaged" | undefined {
  try {
    return loadKnown(folder);
  } catch (error) {
    if (error instanceof FolderUnusable) return "damaged";
    throw error;
  }
}

/** Keeps it. @throws {FolderUnusable}; {DiskFull} */
export function saveKnown(folder: string, known: Known): void {
  save(knownPath(folder), { ...known, sum: sumOf(known) });
}

/** Whether both say the same, in the same order. */
export function isSame(one: Known, other: Known): boolean {
  return textOf(one) === textOf(other);
}

/** Whether there is no second copy of this folder: none that can be read, or that of another user. */
export function isNotOf(
  { owner }: Known,
  copy: Known | "damaged" | undefined,
): copy is "damaged" | undefined {
  if (copy === undefined || copy === "damaged") return true;
  return owner !== "" && copy.owner !== owner;
}

function sumOf(known: Known): string {
  return createHash("sha256").update(textOf(known)).digest("hex");
}

// Stored: add to what is summed, and keep the order.
function textOf({ owner, generation, groups, pins }: Known): string {
  const rows = groups.map(({ id, name, address, servers = [], key, joined, role }) => [
    ...[id, name, address, key, joined, role],
    ...(servers.length > 0 ? [servers] : []),
  ]);
  return JSON.stringify([owner, generation, rows, Object.entries(pins)]);
}
