/**
 * The files of a group's folder, after a clean stop and after a kill: each missing, empty, cut, with
 * a flipped bit, another group's, and of an earlier moment. A start serves all that was acknowledged,
 * or is refused with the way out; what is put back then starts, and each way out works.
 */

import { Buffer } from "node:buffer";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { FolderUnusable, LogDamaged, UsageError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log/log.ts";
import { copies, openGroup } from "../../lib/run/open_group.ts";
import { folderProblems } from "../../lib/run/group_folder.ts";
import { until } from "../support.ts";
import { Ledger } from "./support/audit.ts";
import { joined, numbered, Sender } from "./support/chat.ts";
import { runProgram } from "./support/children.ts";
import { type Fault, fault } from "./support/fault.ts";
import { GroupProcess, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
/** What a group's folder holds that nobody can do without, and what tells that it is there. */
const FILES = ["group.json", "log.db", "log.db-wal", "log.head"] as const;
/** What a sentence may say to do; one of these. */
const WAY_OUT = /group\.ts restore COPY --data|use a newer one|start that one, or choose/;

/** A folder as it was left. */
interface Left {
  readonly what: string;
  readonly files: Files;
  /** JSON of every batch, as it was served. */
  readonly batches: readonly string[];
  /** How many of these were acknowledged. */
  readonly acknowledged: number;
  readonly id: string;
}

type Files = ReadonlyMap<string, Buffer>;

/** What a start came to. */
interface Outcome {
  readonly id?: string;
  readonly batches?: readonly string[];
  /** Damage that was met when it was read. */
  readonly refusal?: unknown;
}

/** A refusal of each kind, and what it was said of. */
type Said = Map<string, { files: Files; left: Left }>;

await fault(async (fault) => {
  const { early, stopped, killed, other, copy } = await madeBy(fault);
  const said: Said = new Map();
  const look = (left: Left, name: string, bytes: Buffer | undefined, what: string) =>
    judge(fault, said, left, name, bytes, `${left.what}: ${name} ${what}`);
  for (const left of [stopped, killed]) {
    const names = FILES.filter((name) => left.files.has(name));
    const sizes = names.map((name) => left.files.get(name)!.length);
    for (const name of names) {
      await look(left, name, undefined, "is missing");
      await look(left, name, Buffer.alloc(0), "is empty");
      await look(left, name, early.files.get(name), "is of an earlier moment");
    }
    for (const name of FILES) {
      await look(left, name, other.files.get(name), "is another group's");
    }
    for (let i = 0; i < fault.size(40, 200); i++) {
      const [name, at] = anywhere(fault, names, sizes, i);
      await look(left, name, left.files.get(name)!.subarray(0, at), `is cut to ${at} bytes`);
      fault.count("cuts");
    }
    for (let i = 0; i < fault.size(80, 4_000); i++) {
      const [name, at] = anywhere(fault, names, sizes, i);
      const bytes = Buffer.from(left.files.get(name)!);
      bytes[at] ^= 1 << fault.int(0, 8);
      await look(left, name, bytes, `has another bit in byte ${at}`);
      fault.count("flips");
    }
  }
  await agree(fault, copy);
  for (const [sentence, { files, left }] of said) {
    await tryWaysOut(fault, sentence, files, left, copy);
  }
  fault.figure("sentences", said.size);
  for (const figure of ["served_wrong", "silent_loss"]) fault.count(figure, 0);
});

/** A byte of one of the files, by turns so that small ones have theirs, too. */
function anywhere(
  fault: Fault,
  names: readonly string[],
  sizes: readonly number[],
  turn: number,
): [name: string, at: number] {
  const i = turn % names.length;
  return [names[i], fault.int(0, sizes[i])];
}

/** Folders of a group at work: before, stopped, killed; another group's, and a backup. */
async function madeBy(fault: Fault) {
  const registries = await startRegistry(fault);
  const made = (name: string, data: string) => {
    const group = new GroupProcess({ name, data, registries });
    fault.onClose(() => group.child.kill());
    const ledger = new Ledger();
    let life = 0;
    /** What a life leaves; it begins with what the one before left. */
    const live = async (what: string, kill: boolean): Promise<Left> => {
      life++;
      await group.start();
      const users = await joined(fault, registries, name, numbered(`${name} ${life}`, 4));
      const senders = users.map((user) => new Sender(user, name, ledger, () => 2));
      for (const sender of senders) sender.start();
      const wanted = ledger.acked + 150;
      await until(() => ledger.acked >= wanted, 30_000, "messages");
      if (!kill) await Promise.all(senders.map((sender) => sender.stop()));
      const acknowledged = ledger.head;
      if (kill) await group.child.kill();
      else fault.expect(await group.child.stop() === 0, "the group did not end well");
      for (const user of users) await user.close();
      return await leftIn(fault, what, data, acknowledged);
    };
    return { live, data };
  };
  const group = made(NAME, join(fault.folder, "group"));
  const early = await group.live("early", false);
  const copy = join(fault.folder, "copy.db");
  await copies.backup(group.data, copy);
  const stopped = await group.live("stopped", false);
  const killed = await group.live("killed", true);
  const stranger = made("Other", join(fault.folder, "other"));
  await stranger.live("other", false);
  const other = await stranger.live("other", true);
  return { early, stopped, killed, other, copy };
}

/** Reads a folder as it is, and what a start makes of it. */
async function leftIn(
  fault: Fault,
  what: string,
  data: string,
  acknowledged: number,
): Promise<Left> {
  const files = filesOf(data);
  const { name } = JSON.parse(files.get("group.json")!.toString());
  const { id, batches, refusal } = await started(fault, files, name);
  if (refusal || !batches) throw refusal ?? new Error(`${what} does not start`);
  const upTo = batches.findIndex((json) => {
    const { first, count } = JSON.parse(json);
    return first + count - 1 >= acknowledged;
  });
  return { what, files, batches, acknowledged: upTo + 1, id: id! };
}

/** Starts the group of these files, reads all, and stops it. */
async function started(fault: Fault, files: Files, name = NAME): Promise<Outcome> {
  const data = put(files, join(fault.folder, "look"));
  let server;
  try {
    server = await openGroup({ name, data, unlisted: true });
  } catch (refusal) {
    return { refusal };
  }
  const { state, log, head } = server.group;
  try {
    return { id: state.id, batches: await allOf(log, head) };
  } catch (refusal) {
    return { id: state.id, refusal };
  } finally {
    await server.close();
  }
}

async function allOf(log: Log, head: number): Promise<string[]> {
  const batches: string[] = [];
  for (let after = 0; after < head;) {
    const before = after;
    for (const { first, count, json } of await log.read({ after, limit: 10_000 })) {
      batches.push(json);
      after = first + count - 1;
    }
    if (!(after > before)) throw new Error(`nothing is served after ${before}`);
  }
  return batches;
}

/** Writes files to a folder that holds nothing else. */
function put(files: Files, folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, bytes] of files) {
    // Any free port does; that of the last start may be another's by now.
    if (name !== "ports.json") writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

/** Starts a folder in which one file is another, and judges what is served, or what is said. */
async function judge(
  fault: Fault,
  said: Said,
  left: Left,
  name: string,
  bytes: Buffer | undefined,
  what: string,
): Promise<void> {
  await setImmediate(); // A start that is refused never waits, and a signal is to be heard.
  const files = new Map(left.files);
  if (bytes) files.set(name, bytes);
  else files.delete(name);
  const { id, batches, refusal } = await started(fault, files);
  if (id !== undefined) fault.expect(id === left.id, `${what}: another identity`);
  if (batches) {
    // What the first start of this process adds is its own.
    if (left.batches.some((json, i) => i < batches.length && batches[i] !== json)) {
      fault.count("served_wrong");
      fault.expect(false, `${what}: served what was never written`);
    }
    if (batches.length < left.acknowledged) {
      fault.count("silent_loss");
      const missing = left.acknowledged - batches.length;
      fault.expect(false, `${what}: ${missing} batches are gone and nothing is said`);
    } else fault.count("whole");
    return;
  }
  const known = [LogDamaged, FolderUnusable, UsageError].some((kind) => refusal instanceof kind);
  fault.expect(known, `${what}: ${refusal}`);
  if (id !== undefined) return fault.count("refused_when_read");
  fault.count("refused");
  const folder = join(fault.folder, "look");
  const after = filesOf(folder);
  const changed = FILES.filter((name) =>
    after.get(name)?.toString("base64") !== files.get(name)?.toString("base64")
  );
  fault.expect(changed.length === 0, `${what}: the refused start changed ${changed.join(", ")}`);
  const sentence = String((refusal as Error).message);
  fault.expect(WAY_OUT.test(sentence), `${what}: no way out in "${sentence}"`);
  const shape = sentence.replaceAll(folder, "FOLDER").replace(/\d+/g, "N");
  if (!said.has(shape)) {
    said.set(shape, { files, left });
    const problems = folderProblems(folder);
    fault.expect(problems.length > 0, `${what}: a look finds nothing wrong`);
  }
  const whole = left.files.get(name);
  if (whole) writeFileSync(join(folder, name), whole);
  else rmSync(join(folder, name));
  const again = await started(fault, filesOf(folder));
  fault.expect(
    (again.batches?.length ?? 0) >= left.acknowledged && again.id === left.id,
    `${what}: put back, and ${again.refusal ?? "not all is there"}`,
  );
}

/** What is in a folder, without the socket of a group that was killed. */
function filesOf(folder: string): Files {
  const names = readdirSync(folder).filter((name) => lstatSync(join(folder, name)).isFile());
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
}

/** What is said of a copy with a flipped bit is the same for a check and for a restore. */
async function agree(fault: Fault, copy: string): Promise<void> {
  const bytes = readFileSync(copy);
  const [flipped, target] = ["flipped.db", "restored"].map((name) => join(fault.folder, name));
  for (let i = 0; i < fault.size(60, 4_000); i++) {
    const other = Buffer.from(bytes);
    // Every other one in the head of the file, where one bit changes what all the others mean.
    const at = fault.int(0, i % 2 ? bytes.length : 100);
    other[at] ^= 1 << fault.int(0, 8);
    writeFileSync(flipped, other);
    const sentenceOf = (work: Promise<unknown>) =>
      work.then(() => undefined, (error) => String(error.message));
    const checked = await sentenceOf(copies.verifyFile(flipped));
    const restored = await sentenceOf(copies.restore(flipped, target, NAME));
    fault.count(checked ? "copies_refused" : "copies_whole");
    fault.expect(
      checked === restored,
      `a copy with another bit in byte ${at}: verify says "${checked}", restore "${restored}"`,
    );
    rmSync(target, { recursive: true, force: true });
  }
}

/** Does what a sentence says, by the command that it names. */
async function tryWaysOut(
  fault: Fault,
  sentence: string,
  files: Files,
  left: Left,
  copy: string,
): Promise<void> {
  const [folder, moved] = ["way out", "moved"].map((name) => join(fault.folder, name));
  const sources = [
    ...(/with a backup as COPY/.test(sentence) ? [copy] : []),
    ...(/with MOVED in its place/.test(sentence) ? [moved] : []),
  ];
  for (const source of sources) {
    rmSync(moved, { recursive: true, force: true });
    renameSync(put(files, folder), moved);
    const { code, output } = await runProgram("group.ts", "restore", source, "--data", folder);
    fault.expect(code === 0, `"${sentence}": restore ended with ${code}: ${output}`);
    if (code !== 0) continue;
    const { id, batches, refusal } = await started(fault, filesOf(folder));
    fault.expect(
      id === left.id && batches !== undefined && goesOn(batches, left, source === moved),
      `"${sentence}": restored, and ${refusal ?? "it is another"}`,
    );
    fault.count(source === copy ? "restored_from_backup" : "gone_on");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is there is what was there; or, where the key alone was left, the group is founded again. */
function goesOn(batches: readonly string[], left: Left, mayBeginAnew: boolean): boolean {
  if (mayBeginAnew && batches.length === 1 && JSON.parse(batches[0]).kind === "founded") {
    return true;
  }
  return batches.every((json, i) => i >= left.batches.length || json === left.batches[i]);
}
