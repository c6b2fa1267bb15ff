/** Source trees that are measured: ours, and that of an older commit, made for the run. */

import { existsSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import process from "node:process";
import { must } from "../scripts/run_command.ts";
import { Folder } from "../tests/support/folder.ts";

/** A copy of this repository with its dependencies. */
export interface Tree {
  /** Folder, with a slash at its end. */
  readonly root: string;
}

/** The tree that this file is in. */
export const OURS: Tree = { root: new URL("..", import.meta.url).pathname };

/** The commit that ours is measured beside: the last one over libzmq. */
export const BEFORE = "b3cfaed";

/** An older version, gone when it is disposed. */
export interface OldTree extends Tree, AsyncDisposable {
  readonly commit: string;
  /** Its groups seal all that they say, so that there is no version of it in the clear. */
  readonly seals: boolean;
}

/** What an older tree gets of ours: it had no program of that name, and both use the library alone. */
const LENT = ["load/crowd.ts"];

/** The tree of a commit with its dependencies; undefined where this clone does not have it. */
export async function checkOut(revision: string): Promise<OldTree | undefined> {
  const commit = await git("rev-parse", "--short", "--verify", "--quiet", `${revision}^{commit}`)
    .catch(() => undefined);
  if (commit === undefined) return undefined;
  const folder = new Folder();
  const root = `${folder.path}/`;
  try {
    await git("archive", "--output", `${root}tree.tar`, commit);
    await must(["tar", "-xf", "tree.tar"], { cwd: root });
    await must([process.execPath, "install", "-q"], { cwd: root });
    for (const file of LENT) await copyFile(`${OURS.root}bench/${file}`, `${root}bench/${file}`);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  const seals = existsSync(`${root}lib/session`);
  return { root, commit, seals, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

/** What git says of our tree. @throws {Error} with what it complains of */
export async function git(...args: string[]): Promise<string> {
  return (await must(["git", ...args], { cwd: OURS.root })).trim();
}
