/**
 * The database and its write-ahead log cut at each of their last bytes, and single bytes flipped
 * anywhere: a start has what is whole, or is refused with file and position; what is not what was
 * written is never served.
 */

import { Buffer } from "node:buffer";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { FolderUnusable, LogDamaged } from "../../lib/errors.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { Registry } from "../../mod.ts";
import { Ledger } from "./support/audit.ts";
import { joined, numbered, Sender } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { GroupProcess } from "./support/servers.ts";
import { until } from "../support.ts";

/** How far from the end files are cut, bytes. */
const CUTS = 4_096;
/** Bytes of a page, and of what stands at its head; before the first there is the file's own. */
const [PAGE, PAGE_HEAD] = [8_192, 120];

/** A folder as a killed group leaves it. */
interface Left {
  readonly db: Buffer;
  readonly wal: Buffer;
  /** JSON of every batch, as it was served. */
  readonly batches: readonly string[];
  /** How many of them the last commit of the write-ahead log brought; 0 without one. */
  readonly last: number;
}

await fault(async (fault) => {
  const left = await killedGroup(fault);
  fault.figure("db_bytes", left.db.length);
  fault.figure("wal_bytes", left.wal.length);
  fault.figure("batches", left.batches.length);
  const step = fault.size(64, 1);
  for (let cut = 1; cut <= CUTS; cut += step) {
    await look(fault, left, { ...left, wal: left.wal.subarray(0, -cut) }, "cut_wal", cut);
    await look(fault, left, { ...left, db: left.db.subarray(0, -cut) }, "cut_db", cut);
  }
  // What is in the write-ahead log covers what is in the database: both with and without it.
  const files = { db: left.db, wal: Buffer.alloc(0) };
  const alone = { ...files, batches: await contentOf(fault, files), last: 0 };
  for (let i = 0; i < fault.size(100, 4_096); i++) {
    const at = fault.int(0, left.wal.length);
    await look(fault, left, { ...left, wal: flip(left.wal, at) }, "flip_wal", at);
    const in_db = fault.int(0, left.db.length);
    await look(fault, alone, { ...alone, db: flip(left.db, in_db) }, "flip_db", in_db);
  }
  // Where a page says what it is and how much it holds, one bit may hide all of it.
  for (let page = 0; page < left.db.length; page += PAGE) {
    for (let at = page; at < page + PAGE_HEAD; at += fault.size(7, 1)) {
      await look(fault, alone, { ...alone, db: flip(left.db, at) }, "flip_head", at);
    }
  }
  for (const figure of ["served_wrong", "silent_loss"]) fault.count(figure, 0);
});

/** A group killed at work, whose last messages are in the write-ahead log only. */
async function killedGroup(fault: Fault): Promise<Left> {
  await using registry = await Registry.start({ port: 0 });
  const registries = [registry.address];
  const data = join(fault.folder, "group");
  const group = new GroupProcess({ name: "Lab", address: "127.0.0.1:0", data, registries });
  const read = (file: string) => readFileSync(join(data, file));
  const ledger = new Ledger();
  // The first life fills the database, the second the write-ahead log.
  for (const life of [1, 2]) {
    await group.start();
    const users = await joined(fault, registries, "Lab", numbered(`sender ${life}`, 4));
    const senders = users.map((user) => new Sender(user, "Lab", ledger, () => 2));
    for (const sender of senders) sender.start();
    const wanted = ledger.acked + 300;
    await until(() => ledger.acked >= wanted, 30_000, "messages");
    if (life === 1) await Promise.all(senders.map((sender) => sender.stop()));
    if (life === 1) await group.child.stop();
    else await group.child.kill();
    for (const user of users) await user.close();
    await setTimeout(0);
  }
  const [db, wal] = [read("log.db"), read("log.db-wal")];
  const batches = await contentOf(fault, { db, wal });
  const torn = await contentOf(fault, { db, wal: wal.subarray(0, -1) });
  return { db, wal, batches, last: batches.length - torn.length };
}

/** JSON of every batch in a folder with these files. @throws {LogDamaged} */
async function contentOf(
  fault: Fault,
  { db, wal }: { db: Uint8Array; wal: Uint8Array },
): Promise<string[]> {
  const folder = join(fault.folder, "look");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(join(folder, "log.db"), db);
  if (wal.length > 0) writeFileSync(join(folder, "log.db-wal"), wal);
  const log = sqliteLog(folder);
  try {
    const { head } = await log.open();
    const batches: string[] = [];
    for (let after = 0; after < head;) {
      const before = after;
      for (const { first, count, json } of await log.read({ after })) {
        batches.push(json);
        after = first + count - 1;
      }
      if (!(after > before)) throw new Error(`nothing is served after ${before}`);
    }
    return batches;
  } finally {
    await log.close();
  }
}

/** Starts from damaged files and judges what is served. */
async function look(
  fault: Fault,
  whole: Left,
  files: { db: Uint8Array; wal: Uint8Array },
  what: string,
  at: number,
): Promise<void> {
  fault.count(what);
  let batches: string[];
  try {
    batches = await contentOf(fault, files);
  } catch (error) {
    // One flipped bit of the format's number makes it that of a newer version.
    const refused = error instanceof LogDamaged || error instanceof FolderUnusable;
    if (refused) return fault.count("refused");
    return fault.expect(false, `${what} at ${at}: ${(error as Error).name}: ${error}`);
  }
  if (batches.some((json, i) => json !== whole.batches[i])) {
    fault.count("served_wrong");
    fault.expect(false, `${what} at ${at}: served what was never written`);
  }
  const missing = whole.batches.length - batches.length;
  // A flip in the last commit looks like a torn one; more than that must be said.
  const allowed = what === "cut_wal" ? Infinity : whole.last;
  if (missing > allowed) {
    fault.count("silent_loss");
    fault.expect(false, `${what} at ${at}: ${missing} batches are gone and nothing is said`);
  } else fault.count(missing > 0 ? "without_last" : "whole");
}

function flip(bytes: Buffer, at: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[at] ^= 1 << (at % 8);
  return flipped;
}
