/** Which groups were made at the prompts of a home: they come back with its servers. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { load, save } from "../disk/files.ts";
import { type HostedFile, keptProblem } from "../protocol/kept.ts";

/** A group, and the folder whose user made it: the home itself, or a profile of it. */
export type Hosted = HostedFile["groups"][number] & { readonly home: string };

/** The groups that were made by the user of this very home. @throws {FolderUnusable} */
export function hostedIn(home: string): Hosted[] {
  const file = load<HostedFile>(pathIn(home), {
    problem: (value) => keptProblem("hostedFile", value),
    wayOut: "remove it, and start each group once more with create_group NAME",
  });
  return (file?.groups ?? []).map((group) => ({ ...group, home }));
}

/** A home, and the folders of its profiles. */
export function foldersOf(home: string): string[] {
  return [home, ...profilesOf(home)];
}

/** From now on the group comes back. @throws {FolderUnusable}; {DiskFull} */
export function keepHosted({ home, ...group }: Hosted): void {
  const others = hostedIn(home).filter(({ name }) => name !== group.name);
  write(home, [...others, { ...group, home }]);
}

/** From now on it does not; false where it did not before. @throws {FolderUnusable}; {DiskFull} */
export function dropHosted(home: string, name: string): boolean {
  const hosted = hostedIn(home);
  const others = hosted.filter((group) => group.name !== name);
  if (others.length < hosted.length) write(home, others);
  return others.length < hosted.length;
}

function write(home: string, hosted: readonly Hosted[]): void {
  const groups = hosted.map(({ home: _, ...group }) => group);
  save(pathIn(home), { groups } satisfies HostedFile);
}

function pathIn(home: string): string {
  return join(home, "hosted.json");
}

function profilesOf(home: string): string[] {
  const folder = join(home, "profiles");
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return []; // There is none, or who looks may not.
  }
}
