/** `group.ts backup`, `verify`, `restore`: copies of a group, made while it runs or not. */

import { statSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { isAddress } from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { shellWord, typedName } from "../text/names.ts";
import type { Given, Options } from "./args.ts";
import type { Entry } from "./help.ts";
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
  backup(place: string, file: string, watch: Watch, of: Of): Promise<number>;
  verify(place: string, watch: Watch, of: Of): Promise<Checked>;
  verifyFile(file: string): Promise<Checked>;
  restore(
    file: string,
    place: string,
    name: string | undefined,
    watch: Watch,
    of: Of,
  ): Promise<Moved>;
  copy(name: string | undefined, from: string, to: Place, watch: Watch): Promise<Moved>;
}

/** Which group of a database is meant, and what is asked of that. */
interface Of {
  readonly name: string | undefined;
  readonly singleCopy: boolean;
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

/** Options of `copy` alone. */
export const COPY_OPTIONS: Options = {
  from: { type: "text", value: "PLACE", help: "where it is: a folder, or postgres://HOST,…/DB" },
  to: { type: "text", value: "PLACE", help: "where it goes: a folder, or postgres://HOST,…/DB" },
};

const OF_DATA: Options = {
  data: { type: "text", value: "DIR", help: "the group's folder; it needs no NAME then" },
  log: { type: "text", value: "URL", help: "the database that keeps it, postgres://HOST,…/DB" },
};

/** A command, with the words that it takes. */
interface CopyEntry extends Omit<Entry, "family"> {
  /** Fewest and most of them. */
  readonly words: readonly [least: number, most: number];
  /** Every form, where one of them is expected. */
  readonly forms: string;
}

/** The commands, as help shows them. */
export const COPY_ENTRIES: readonly CopyEntry[] = [
  {
    names: ["backup"],
    words: [1, 2],
    usage: "backup NAME FILE",
    forms: "backup NAME FILE, or backup FILE --data DIR",
    help: "copy a group to one new file, also while it runs. The file holds the group's key: who " +
      "has it can run the group",
    example: 'backup "Cool Group" copy.db',
    options: OF_DATA,
  },
  {
    names: ["verify"],
    words: [0, 1],
    usage: "verify NAME|FILE",
    forms: "verify NAME, verify FILE, or verify --data DIR",
    help: "check every entry of a group or a copy, and name the first bad one",
    example: "verify copy.db",
    options: OF_DATA,
  },
  {
    names: ["restore"],
    words: [1, 2],
    usage: "restore FILE|DIR NAME",
    forms: "restore FILE NAME, or restore FILE --data DIR (or a folder for FILE)",
    help: "make the group of a copy again, here or on another machine; members find it through " +
      "the registry, and start over: what came after the copy is not in it. From DIR, a group's " +
      "folder that was moved away, it goes on with what is left there",
    example: 'restore copy.db "Cool Group" --data /srv/cool',
    options: OF_DATA,
  },
  {
    names: ["copy"],
    words: [0, 1],
    usage: "copy NAME [--from PLACE] --to PLACE",
    forms: "copy NAME [--from PLACE] --to PLACE, where a PLACE is a folder or postgres://…",
    help: "move a group, from its folder or another place, while members wait",
    example: 'copy "Cool Group" --to /srv/cool',
    options: COPY_OPTIONS,
  },
];

/** Whether a command line is one of these commands, and not a group of that name to be started. */
export function isCopyCommand({ positionals: [command, second, third] }: Given): boolean {
  if (!COPY_ENTRIES.some(({ names }) => names[0] === command)) return false;
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
  const { words: [least, most], forms } = COPY_ENTRIES.find(({ names }) => names[0] === command)!;
  const kept = given.texts.get("log") ?? given.texts.get("data");
  // A folder has one group, so that nobody has to name it.
  const named = kept === undefined || given.texts.has("log") ? 1 : 0;
  if (words.length < least + named || words.length > Math.max(most, least + named)) {
    throw new UsageError(`Cannot run ${command}: expected ${forms}`);
  }
  const placeOf = async (name: string | undefined) =>
    kept ?? await groupFolder(homeFolder(given), name!);
  const singleCopy = given.flags.has("single-copy");
  const engine = await copies();
  if (command === "backup") {
    const file = words[words.length - 1];
    const of = { name: words[0], singleCopy };
    const head = await engine.backup(await placeOf(words[0]), file, watch, of);
    return `${safeLine(file)} holds all up to entry ${head}, and the group's key: keep it safe`;
  }
  if (command === "verify") {
    const [what] = words;
    const found = what === undefined || given.texts.has("log")
      ? undefined
      : statSync(what, { throwIfNoEntry: false });
    const { head } = what !== undefined && found && !found.isDirectory()
      ? await engine.verifyFile(what)
      : await engine.verify(await placeOf(what), watch, { name: what, singleCopy });
    return `All is as it was written, up to entry ${head}`;
  }
  if (command === "copy") {
    const to = given.texts.get("to");
    if (to === undefined) throw new UsageError(`Cannot run copy: expected ${forms}`);
    const [name] = words;
    const from = given.texts.get("from") ?? await placeOf(name);
    const { head, start } = await engine.copy(name, from, { to, singleCopy }, watch);
    return `The group is there now, up to entry ${head}, and runs here no more; start it with ${start}`;
  }
  const [file, name] = words;
  const place = await placeOf(name);
  const { head, start } = await engine.restore(file, place, name, watch, { name, singleCopy });
  const where = given.texts.has("log") ? "the database" : safeLine(place);
  // In its own place in a home it is found by its name.
  const home = given.texts.get("home");
  const inHome = `group.ts ${typedName(name ?? "")} HOST:PORT` +
    (home === undefined ? "" : ` --home ${shellWord(home)}`);
  const how = kept === undefined ? inHome : start;
  return `Restored to ${where} up to entry ${head}; start it with ${how}`;
}
