/**
 * A user's home with groups, pins, cursors and an outbox, each of its files missing, empty, cut,
 * with single bits flipped, another user's, or an older one: nothing wrong is shown or would be
 * sent, nothing is lost in silence, and the command that a sentence names makes the home whole again.
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FolderUnusable, LogDamaged } from "../../lib/errors.ts";
import { groupId, newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { lookAtHome, restoreHome } from "../../lib/run/open_home.ts";
import { idOf, userFile } from "../../lib/run/user_file.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { storeOwner } from "../../lib/store/sqlite_user_look.ts";
import { sqliteStore } from "../../lib/store/sqlite_user_store.ts";
import { copyFolder } from "../support/folder.ts";
import { type Fault, fault } from "./support/fault.ts";

/** Files of a user's home that must be there, and must be its own. */
const FILES = ["identity.json", "user.db", "known.json", "user.head"] as const;
/** What a program that was killed leaves beside them, with its newest commits. */
const WAL = "user.db-wal";

/** What is done to a file. */
interface Case {
  readonly file: typeof FILES[number] | typeof WAL;
  readonly what: string;
  /** What is in its place; absent: nothing. */
  readonly bytes?: Uint8Array;
  /** Also run the command that the sentence names. */
  readonly mend: boolean;
  /** Where it was changed. */
  readonly at?: number;
}

/** What a home holds, as its user finds it. */
interface Held {
  readonly user: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly pins: readonly string[];
  readonly cursors: readonly string[];
  readonly outbox: readonly string[];
  /** What its user is told is missing. */
  readonly warnings: readonly string[];
  /** All that ever waited, where that is not what waits. */
  readonly ever: readonly string[];
}

/** Pins of a home are asked for by these addresses. */
const EPOCH = "c89b8b0d-5317-4215-8eff-e6c0cdc1debc";

const REGISTRIES = ["127.0.0.1:5555", "127.0.0.1:5556", "127.0.0.1:5557"];

await fault((fault) => {
  const [home, other, older] = ["home", "other", "older"].map((name) => join(fault.folder, name));
  fill(home, 8);
  copyFolder(home, older);
  fill(home, 4);
  fill(other, 3);
  const held = holdings(home);
  fault.expect(held.groups.length === 12 && held.outbox.length === 60, "the home is not filled");
  fault.figure("db_bytes", readFileSync(join(home, "user.db")).length);

  for (const file of FILES) {
    const bytesIn = (folder: string) => readFileSync(join(folder, file));
    const judge = (one: Omit<Case, "file">) => look(fault, home, held, { file, ...one });
    judge({ what: "missing", mend: true });
    judge({ what: "empty", bytes: new Uint8Array(), mend: true });
    judge({ what: "another_users", bytes: bytesIn(other), mend: true });
    judge({ what: "older", bytes: bytesIn(older), mend: true });
    const whole = bytesIn(home);
    for (let i = 0; i < fault.size(20, 200); i++) {
      const at = fault.int(1, whole.length - 1);
      judge({ what: "cut", bytes: whole.subarray(0, at), mend: i % 10 === 0, at });
    }
    if (file === "identity.json") continue; // Its name has no second copy.
    for (let i = 0; i < fault.size(150, 4_000); i++) {
      const at = fault.int(0, whole.length);
      const bytes = Uint8Array.from(whole);
      bytes[at] ^= 1 << fault.int(0, 8);
      judge({ what: "flipped", bytes, mend: i % 10 === 0, at });
    }
  }
  // Before SQLite carried any of it over, and after.
  for (const messages of [100, 400]) judgeWal(fault, home, messages);
  for (const figure of ["wrong", "lost_in_silence"]) fault.count(figure, 0);
  return Promise.resolve();
});

/** Adds groups, pins, cursors and messages that wait, as a user that works does. */
function fill(home: string, groups: number): void {
  const id = idOf(userFile(home, storeOwner, "alice"));
  const store = sqliteStore(home, id);
  const mid = midMaker();
  const before = store.groups().length;
  for (let i = before; i < before + groups; i++) {
    const name = `Group ${i}`;
    const { publicKey: key } = newSigningKey();
    const id = groupId(key, name, "nonce");
    store.save({ id, name, address: `127.0.0.1:${5_600 + i}`, key, joined: true, role: "member" });
    store.moveCursor(id, EPOCH, 100 + i);
    store.enqueue(id, Array.from({ length: 5 }, (_, n) => [mid(), `message ${n} to ${name}`]));
    store.pin(REGISTRIES[i % REGISTRIES.length], newSigningKey().publicKey);
  }
  store.close();
}

/** What a home holds, found as each program of the user finds it. @throws as those do */
function holdings(home: string): Held {
  const file = userFile(home, storeOwner);
  const user = idOf(file);
  const store = sqliteStore(home, user);
  try {
    const groups = store.groups();
    return {
      user,
      name: file.name,
      groups: groups.map(({ id, name, address, key, joined, role }) =>
        [id, name, address, key, joined, role].join(" ")
      ),
      pins: REGISTRIES.map((address) => `${address} ${store.pinned(address)}`),
      cursors: groups.map(({ id, epoch, cursor }) => `${id} ${epoch} ${cursor}`),
      outbox: groups.flatMap(({ id }) => store.pending(id).map((one) => `${id} ${one.join(" ")}`)),
      warnings: store.warnings,
      ever: [],
    };
  } finally {
    store.close();
  }
}

/** The same of a home as a program leaves it that was killed, whose newest commits are in one file. */
function judgeWal(fault: Fault, home: string, messages: number): void {
  const { user } = holdings(home);
  const [killed, whole] = ["killed", "whole"].map((name) => join(fault.folder, name + messages));
  const store = sqliteStore(home, user);
  const mid = midMaker();
  const [{ id }] = store.groups();
  const ever = store.pending(id).map((one) => `${id} ${one.join(" ")}`);
  for (let i = 0; i < messages; i++) {
    const message: Message = [mid(), `message ${i}`];
    ever.push(`${id} ${message.join(" ")}`);
    store.enqueue(id, [message]);
    store.moveCursor(id, EPOCH, 1_000 + i);
    const [[oldest]] = store.pending(id);
    if (i % 3 === 0) store.settle(id, [oldest]);
  }
  copyFolder(home, killed);
  store.close();
  copyFolder(killed, whole);
  const held = { ...holdings(whole), ever };
  fault.expect(held.warnings.length === 0, `nothing is missing: ${held.warnings}`);
  const wal = readFileSync(join(killed, WAL));
  const judge = (one: Omit<Case, "file" | "mend">, mend: boolean) =>
    look(fault, killed, held, { file: WAL, mend, ...one });
  judge({ what: "missing" }, true);
  judge({ what: "empty", bytes: new Uint8Array() }, true);
  for (let i = 0; i < fault.size(20, 200); i++) {
    const at = fault.int(1, wal.length - 1);
    judge({ what: "cut", bytes: wal.subarray(0, at), at }, i % 10 === 0);
  }
  for (let i = 0; i < fault.size(40, 1_000); i++) {
    const at = fault.int(0, wal.length);
    const bytes = Uint8Array.from(wal);
    bytes[at] ^= 1 << fault.int(0, 8);
    judge({ what: "flipped", bytes, at }, i % 10 === 0);
  }
}

/** Puts `bytes` in the place of a file of the home, or nothing, and judges what the user is told. */
function look(
  fault: Fault,
  home: string,
  held: Held,
  { file, what, bytes, mend, at = 0 }: Case,
): void {
  const work = join(fault.folder, "work");
  rmSync(work, { recursive: true, force: true });
  copyFolder(home, work);
  if (bytes) writeFileSync(join(work, file), bytes);
  else rmSync(join(work, file));
  const name = `${file} ${what}${at > 0 ? ` at ${at}` : ""}`;
  fault.count(what);
  const before = contentsOf(work);
  const { problems } = lookAtHome(work);
  fault.expect(contentsOf(work) === before, `${name}: the doctor changed something`);
  let found: Held;
  try {
    found = holdings(work);
  } catch (error) {
    fault.count("refused");
    const told = error instanceof LogDamaged || error instanceof FolderUnusable;
    if (!told) return fault.expect(false, `${name}: ${error}`);
    fault.expect(problems.length > 0, `${name}: refused, and the doctor finds nothing`);
    if (/use a newer one$/.test(error.message)) return; // A flip of the format's number.
    fault.expect(/user\.ts restore/.test(error.message), `${name}: no way out: ${error.message}`);
    fault.expect(error.message.includes(file), `${name}: names another file: ${error.message}`);
    fault.expect(problems.includes(error.message), `${name}: the doctor says ${problems}`);
    if (mend) mended(fault, work, held, name, error.message);
    return;
  }
  const same = JSON.stringify(found) === JSON.stringify(held);
  if (same) return fault.count("harmless");
  const isLater = file === WAL;
  const all = new Set([...Object.values(held).flat(), ...isLater ? held.ever : []]);
  const shown = { ...found, warnings: [], ...isLater ? { cursors: [] } : {} };
  const wrong = Object.values(shown).flat().filter((one) => !all.has(one));
  if (isLater && wrong.length === 0) {
    // What was seen last is shown again, and what was sent last is sent again under its id.
    const lost = held.outbox.filter((one) => !found.outbox.includes(one)).length;
    const [, many] = /^Messages .* may be lost, ([\d,]+) or/.exec(found.warnings.join()) ?? [];
    const told = found.warnings.length === 0 ? 0 : Number(many.replaceAll(",", ""));
    if (lost <= told) return fault.count(told > 0 ? "loss_told" : "harmless");
  }
  if (wrong.length > 0) fault.count("wrong");
  else fault.count("lost_in_silence");
  fault.expect(false, `${name}: ${wrong.length > 0 ? `shows ${wrong[0]}` : "lost in silence"}`);
}

/** Runs the command that a sentence names; what is there then is true, and what is not was told. */
function mended(fault: Fault, home: string, held: Held, name: string, sentence: string): void {
  fault.count("restored");
  const newUser = sentence.includes("--new-user");
  const told = restoreHome(home, { newUser }).join("\n");
  const { problems } = lookAtHome(home);
  fault.expect(problems.length === 0, `${name}: restored, and the doctor says ${problems}`);
  const found = holdings(home);
  const isOurs = found.user === held.user;
  fault.expect(isOurs || newUser || name.includes("another"), `${name}: restored as another user`);
  const wrong = (which: "groups" | "cursors" | "outbox") => {
    const all = new Set([...held[which], ...held.ever]);
    return found[which].filter((one) => !all.has(one));
  };
  const keys = (groups: readonly string[]) => groups.map((one) => one.slice(0, 36)).join();
  if (!isOurs && !newUser) return; // Another user's key has none of it.
  fault.expect(keys(found.groups) === keys(held.groups), `${name}: groups are lost: ${told}`);
  fault.expect(found.pins.join() === held.pins.join(), `${name}: pins are lost: ${told}`);
  if (newUser) return fault.expect(found.outbox.length === 0, `${name}: sends what another wrote`);
  fault.expect(wrong("groups").length + wrong("outbox").length === 0, `${name}: restored wrong`);
  const said = told.includes("More may have waited");
  if (found.outbox.length < held.outbox.length) fault.count("outbox_loss_told");
  fault.expect(said || found.outbox.length === held.outbox.length, `${name}: lost: ${told}`);
}

/** The files of a folder, but for those that SQLite makes for readers. */
function contentsOf(folder: string): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !/-(shm|wal)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)).sort()
    .map((path) => `${path} ${readFileSync(path, "base64")}`).join();
}
