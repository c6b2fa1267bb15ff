/** `user.ts export-identity` and `import-identity`: one user on several machines. */

import { Buffer } from "node:buffer";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import process from "node:process";
import { FolderUnusable, Interrupted, UsageError } from "../errors.ts";
import { MAX_IDENTITY_FILE, passphraseProblem, readSealed } from "../protocol/identity_file.ts";
import { counted } from "../text/counted.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import { atMost } from "./args.ts";
import { INTERRUPTED } from "./once.ts";
import type { Call, IdentityMoved, UserDoors } from "./program.ts";
import { notice } from "./render.ts";
import { type Bytes, linesOf } from "./streams.ts";

/** Standard input or output in the place of a file. */
const STREAM = "-";

/** Writes this home's user to a file; the exit code. */
export function exportIdentity(call: Call): Promise<number> {
  return unlessInterrupted(call, toFile);
}

/** Makes the user of a file that of this home; the exit code. */
export function importIdentity(call: Call): Promise<number> {
  return unlessInterrupted(call, fromFile);
}

async function unlessInterrupted(call: Call, work: (call: Call) => Promise<void>) {
  try {
    await work(call);
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    await call.output.complain(notice(error.message));
    return INTERRUPTED;
  }
}

async function toFile({ given, home, doors, output }: Call): Promise<void> {
  const path = fileOf(given.positionals, "export-identity");
  if (path !== STREAM && existsSync(path)) {
    throw new FolderUnusable(`Cannot write ${path}: it is there already, name another file`);
  }
  const json = given.flags.has("json");
  if (json && path === STREAM) {
    throw new UsageError("Cannot use --json with -: standard output is the file");
  }
  const { text, ...user } = await doors.exportIdentity(home, () => newPassphrase(doors));
  if (path === STREAM) await output.print(text.trimEnd());
  else await doors.saveNew(path, text);
  if (json) return await output.print(safeJson({ ...user, file: path }));
  const where = path === STREAM ? "" : ` is in ${path}`;
  await output.complain(
    notice(`${whoIs(user)}${where}, with ${counted(user.groups.length, "group")}`),
  );
  await output.complain(
    notice("who has it and the passphrase is you: import-identity FILE on the other machine"),
  );
}

async function fromFile({ given, home, doors, output }: Call): Promise<void> {
  const path = fileOf(given.positionals, "import-identity");
  const what = path === STREAM ? "standard input" : path;
  const file = readSealed(path === STREAM ? await textOf(doors.stdin) : await textIn(path), what);
  const replace = given.flags.has("replace");
  const passphrase = await passphraseFor(doors, path === STREAM);
  const user = await doors.importIdentity(home, { file, what, replace }, passphrase);
  if (given.flags.has("json")) await output.print(safeJson(user));
  else for (const line of imported(user)) await output.print(safeLine(line));
}

function fileOf([_, path, ...more]: readonly string[], command: string): string {
  atMost(more, 0);
  if (path) return path;
  throw new UsageError(`Cannot run ${command}: something is missing, expected ${command} FILE`);
}

function whoIs({ name, id }: IdentityMoved): string {
  return `${name}#${id.slice(0, 8)}`;
}

function imported(user: IdentityMoved): string[] {
  const { groups, registries, joined = [], others = [], aside } = user;
  const already = groups.length - joined.length - others.length;
  return [
    ...(aside === undefined ? [] : [`The former user is set aside in ${aside}`]),
    `You are ${whoIs(user)}`,
    joined.length === 0
      ? `No group is new here${already > 0 ? `: ${counted(already, "group")} joined before` : ""}`
      : `You are in: ${joined.join(", ")}` + (already > 0 ? `, and in ${already} as before` : ""),
    ...others.map((name) =>
      `The name ${name} is another group's here: leave that one, and import again`
    ),
    ...(registries.length === 0
      ? []
      : [`Registries that you asked: ${registries.join(", ")} (--registry, or $ZGROUP_REGISTRY)`]),
  ];
}

/** A passphrase that is used from now on: typed twice, or from a script. @throws {UsageError} */
async function newPassphrase(doors: Pick<UserDoors, "askSecret" | "stdin">): Promise<string> {
  const scripted = process.env.ZGROUP_PASSPHRASE;
  if (!doors.askSecret || scripted) return usable(scripted || await firstLine(doors.stdin));
  for (let question = "Passphrase for the file";;) {
    const typed = await doors.askSecret(`${question}: `);
    const problem = passphraseProblem(typed);
    if (problem !== undefined) question = `It cannot be used, ${problem}. Another one`;
    else if (await doors.askSecret("The same once more: ") === typed) return typed;
    else question = "The two differ. Passphrase for the file";
  }
}

/** The passphrase of a file. @param streamed standard input is the file @throws {UsageError} */
async function passphraseFor(doors: Pick<UserDoors, "askSecret" | "stdin">, streamed: boolean) {
  const scripted = process.env.ZGROUP_PASSPHRASE;
  if (scripted) return usable(scripted);
  if (streamed) {
    throw new UsageError(
      "Cannot ask for the passphrase: standard input is the file; set $ZGROUP_PASSPHRASE, or name " +
        "the file",
    );
  }
  return usable(await (doors.askSecret?.("Passphrase of the file: ") ?? firstLine(doors.stdin)));
}

function usable(passphrase: string): string {
  const problem = passphraseProblem(passphrase);
  if (problem === undefined) return passphrase;
  throw new UsageError(`Cannot use the passphrase: ${problem}`);
}

async function firstLine(input: Bytes): Promise<string> {
  const { value } = await linesOf(input).next();
  if (value) return value;
  throw new UsageError(
    "Cannot go on without a passphrase: type it at a terminal, write it to standard input, or set " +
      "$ZGROUP_PASSPHRASE",
  );
}

/** The text of a file that is no larger than one can be. @throws {FolderUnusable} */
async function textIn(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      return await textOf(file.createReadStream({ end: MAX_IDENTITY_FILE }));
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof FolderUnusable) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw new FolderUnusable(`Cannot read ${path}: ${why}`, { cause });
  }
}

async function textOf(input: Bytes): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    if ((size += chunk.length) <= MAX_IDENTITY_FILE) continue;
    const most = MAX_IDENTITY_FILE / 1_048_576;
    throw new FolderUnusable(`Cannot read the identity file: it is larger than ${most} MiB`);
  }
  return Buffer.concat(chunks).toString();
}
