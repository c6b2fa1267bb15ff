/** `group.ts backup`, `verify`, `restore`: copies of a group, made while it runs or not. */

import { statSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { isAddress } from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import type { Given } from "./args.ts";
import { homeFolder } from "./home.ts";
import type { Run } from "./program.ts";
import { Progress } from "./progress.ts";
import type { Output } from "./streams.ts";

/** What a check found whole, up to the seq `head`. */
type Checked = { readonly head: number };

/** Who waits: may end it, and hears how many entries of how many are done; 0 of 0 before it begins. */
interface Watch {
  readonly signal: AbortSignal;
  readonly progress: (done: number, total: number) => void;
}

/** What the commands need of the program's other half. */
export interface Copies {
  backup(folder: string, file: string, watch: Watch): Promise<number>;
  verify(folder: string, watch: Watch): Promise<Checked>;
  verifyFile(file: string): Promise<Checked>;
  restore(file: string, folder: string, name?: string): Promise<Checked>;
  copy(name: string | undefined, from: string, to: Place, watch: Watch): Promise<Moved>;
}

/** Where a group is to be kept: a folder, or the URL of a database. */
interface Place {
  readonly to: string;
  /** A database without a standby will do. */
  readonly singleCopy: boolean;
}

/** Where a group went, with all its entries up to the seq `head`. */
interface Moved extends Checked {
  /** The command that starts it there. */
  readonly start: string;
}

/** The doors of these commands. */
export interface CopyDoors {
  readonly copies: () => Promise<Copies>;
  /** Where a group's data is kept in a home. @throws {UsageError} not usable as a name */
  readonly groupFolder: (home: string, name: string) => Promise<string>;
}

/** Lines of help. */
export const COPY_USAGE: readonly string[] = [
  "group.ts backup NAME FILE | verify NAME|FILE | restore FILE|DIR NAME | copy NAME",
];
export const COPY_TEXT: readonly string[] = [
  "backup copies a group to one new file, also while it runs. The file holds the group's key: who",
  "has it can run the group. verify checks every entry of a group or a copy and names the first",
  "bad one. restore makes the group of a copy again, here or on another machine; members find it",
  "through the registry. What came after the copy is not in it: members start over. From DIR, a",
  "group's folder that was moved away, it goes on with what is left there.",
  "copy NAME --to DIR|URL moves it, from its folder or --from DIR|URL, while members wait.",
];

const WORDS: Readonly<Record<string, readonly [least: number, most: number, usage: string]>> = {
  backup: [1, 2, "backup NAME FILE, or backup FILE --data DIR"],
  verify: [0, 1, "verify NAME, verify FILE, or verify --data DIR"],
  restore: [1, 2, "restore FILE NAME, or restore FILE --data DIR (or a folder for FILE)"],
  copy: [0, 1, "copy NAME [--from PLACE] --to PLACE, where a PLACE is a folder or postgres://…"],
};

/** Whether a command line is one of these commands, and not a group of that name to be started. */
export function isCopyCommand({ positionals: [command, second, third] }: Given): boolean {
  if (command === undefined || !Object.hasOwn(WORDS, command)) return false;
  return second === undefined || third !== undefined || !isAddress(second);
}

/** Runs one of the commands; the exit code. */
export async function copyCommand(
  given: Given,
  doors: CopyDoors,
  output: Output,
  { signal, onClose }: Run,
): Promise<number> {
  const progress = new Progress();
  const watch: Watch = { signal, progress: (done, total) => progress.tell(done, total) };
  const said = run(given, doors, watch).finally(() => progress.close());
  // Who is interrupted first removes what it began.
  onClose(() => said.then(() => {}, () => {}));
  await output.print(await said);
  return 0;
}

/** Runs one of the commands; what there is to say of it. */
async function run(
  given: Given,
  { copies, groupFolder }: CopyDoors,
  watch: Watch,
): Promise<string> {
  const [command, ...words] = given.positionals;
  const [least, most, usage] = WORDS[command];
  const data = given.texts.get("data");
  const named = data === undefined ? 1 : 0;
  if (words.length < least + named || words.length > Math.max(most, least + named)) {
    throw new UsageError(`Cannot run ${command}: expected ${usage}`);
  }
  const folderOf = async (name: string | undefined) =>
    data ?? await groupFolder(homeFolder(given), name!);
  const engine = await copies();
  if (command === "backup") {
    const file = words[words.length - 1];
    const head = await engine.backup(await folderOf(words[0]), file, watch);
    return `${safeLine(file)} holds all up to entry ${head}, and the group's key: keep it safe`;
  }
  if (command === "verify") {
    const [what] = words;
    const found = what === undefined ? undefined : statSync(what, { throwIfNoEntry: false });
    const { head } = what !== undefined && found && !found.isDirectory()
      ? await engine.verifyFile(what)
      : await engine.verify(await folderOf(what), watch);
    return `All is as it was written, up to entry ${head}`;
  }
  if (command === "copy") {
    const to = given.texts.get("to");
    if (to === undefined) throw new UsageError(`Cannot run copy: expected ${usage}`);
    const [name] = words;
    const from = given.texts.get("from") ?? await folderOf(name);
    const place = { to, singleCopy: given.flags.has("single-copy") };
    const { head, start } = await engine.copy(name, from, place, watch);
    return `All up to entry ${head} is there now, and nothing goes on here; start it with ${start}`;
  }
  const [file, name] = words;
  const folder = await folderOf(name);
  const { head } = await engine.restore(file, folder, name);
  return `Restored to ${safeLine(folder)} up to entry ${head}; start it with group.ts NAME IP:PORT`;
}
