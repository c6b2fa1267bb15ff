/** What only a log on disk can do: outlast its process, hold its folder, notice damage. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { DiskFull, FolderUnusable, LogDamaged } from "../../lib/errors.ts";
import type { Log } from "../../lib/log/log.ts";
import { packMids } from "../../lib/log/mids.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { MIGRATIONS } from "../../lib/log/sqlite_schema.ts";
import {
  ALICE,
  append,
  BOB,
  child,
  fill,
  firsts,
  inFolder,
  mid,
  powerOf,
  Writer,
} from "./log_support.ts";

const windows = process.platform === "win32" && "needs POSIX";

/** A test with an empty folder. */
const diskTest = (
  criterion: string,
  body: (folder: string) => Promise<void>,
  skip?: string | false,
) => test(`sqlite log ${criterion}`, { skip: skip ?? false }, () => inFolder(body));

/** Opens the log of a folder, runs `body`, closes. */
async function using<T>(folder: string, body: (log: Log) => Promise<T>): Promise<T> {
  const log = sqliteLog(folder);
  try {
    await log.open();
    return await body(log);
  } finally {
    await log.close();
  }
}

/** Changes a closed log behind its back. */
function edit(folder: string, sql: string): void {
  const db = new DatabaseSync(join(folder, "log.db"));
  db.exec(sql);
  db.close();
}

/** Flips the lowest bit of the first byte of what a closed log holds once. */
function flip(folder: string, held: string | Uint8Array): void {
  const file = join(folder, "log.db");
  const bytes = readFileSync(file);
  const at = bytes.indexOf(held);
  assert.ok(at > 0, `${held} is in the file`);
  bytes[at] ^= 1;
  writeFileSync(file, bytes);
}

diskTest("keeps everything when it is opened again", async (folder) => {
  const writer = new Writer();
  const first = sqliteLog(folder);
  const { epoch } = await first.open();
  const batches = [
    writer.messages({ mids: [mid(5), mid(9)] }),
    writer.messages({ mids: [mid(7)] }),
    writer.messages({ at: 2_000, author: BOB, mids: [mid(3)] }),
    writer.join({ at: 3_000, author: "no messages" }),
  ];
  const read = await first.append(0, {
    batches,
    members: [{ user: ALICE, json: "1" }, { user: BOB, json: "2" }, { user: "gone", json: "3" }],
    values: { kept: "x", changed: "1", removed: "y" },
  });
  await first.append(5, {
    batches: [],
    members: [{ user: BOB, json: "4" }],
    gone: ["gone", "never there"],
    values: { changed: "2", removed: undefined, absent: undefined },
  });
  await first.close();
  const again = sqliteLog(folder);
  const { hash, ...start } = await again.open();
  assert.deepEqual(start, {
    epoch,
    head: 5,
    at: 3_000,
    tail: 1,
    members: [{ user: ALICE, json: "1" }, { user: BOB, json: "4" }],
    values: { changed: "2", kept: "x" },
  });
  assert.deepEqual([await again.lastMid(ALICE), await again.lastMid(BOB)], [mid(9), mid(3)]);
  assert.ok(read[3].json.endsWith(`,"hash":"${hash}"}`));
  assert.deepEqual(await again.read({}), read);
  await append(again, writer.messages({ author: BOB, mids: [mid(11)] }));
  assert.deepEqual(
    await again.find(BOB, [mid(3), mid(5), mid(11)]),
    new Map([[mid(3), { seq: 4, at: 2_000 }], [mid(11), { seq: 6, at: 3_000 }]]),
  );
  assert.equal((await powerOf(again, "verify")()).head, 6);
  await again.close();
});

diskTest("remembers what was dropped", async (folder) => {
  await using(folder, async (log) => {
    await fill(log, [4, 1, 5]);
    await powerOf(log, "drop")({ keepFrom: 6 });
  });
  const log = sqliteLog(folder);
  const { tail } = await log.open();
  assert.equal(tail, 6);
  assert.equal(await log.lastMid(ALICE), mid(10));
  assert.deepEqual(await log.find(ALICE, [mid(2)]), new Map([[mid(2), { seq: 2, at: 1_000 }]]));
  assert.deepEqual(await firsts(log, {}), [6]);
  await log.close();
  assert.equal(readFileSync(join(folder, "log.db")).indexOf("text 2"), -1, "overwritten");
});

diskTest("is readable by its owner only and leaves one file", async (folder) => {
  const inner = join(folder, "deep", "group");
  await using(inner, async (log) => {
    await append(log, new Writer().many(1));
    assert.equal(statSync(inner).mode & 0o777, 0o700);
    for (const file of readdirSync(inner)) {
      assert.equal(statSync(join(inner, file)).mode & 0o777, 0o600, file);
    }
  });
  assert.deepEqual(readdirSync(inner), ["log.db"]);
}, windows);

diskTest("belongs to one process, until it ends by whatever means", async (folder) => {
  const other = child("hold", folder);
  try {
    assert.equal(await other.line(), "open 0");
    await assert.rejects(sqliteLog(folder).open(), {
      name: "FolderUnusable",
      message:
        `Cannot open ${folder}: another process uses it, stop that one or choose another folder`,
    });
  } finally {
    await other.kill();
  }
  await using(folder, async (log) => {
    await append(log, new Writer().many(1));
    await assert.rejects(sqliteLog(folder).open(), FolderUnusable, "in one process too");
    const third = child("hold", folder);
    assert.equal(await third.line(), "FolderUnusable");
    await third.kill();
  });
});

diskTest("keeps what it acknowledged when the process is killed", async (folder) => {
  const other = child("append", folder);
  let head = 0;
  assert.equal(await other.line(), "open 0");
  while (head < 200) head = Number(await other.line());
  await other.kill();
  await using(folder, async (log) => {
    const kept = (await powerOf(log, "verify")()).head;
    assert.ok(kept >= head && kept % 10 === 0, `${kept} entries, ${head} acknowledged`);
  });
});

diskTest("stops for good when a write fails", async (folder) => {
  // Beyond the limit a write fails with EFBIG: neither a full disk nor a torn process.
  const limit = ["sh", "-c", `trap "" XFSZ; ulimit -f 256; exec "$@"`, "sh"];
  const other = child("append", folder, limit);
  let head = 0;
  let line = await other.line();
  for (; /^open|^\d/.test(line); line = await other.line()) head = Number(line) || head;
  assert.equal(line, "LogFailed");
  assert.equal(await other.line(), "LogFailed", "also with room");
  assert.equal(await other.line(), `newest ${head}`);
  await other.kill();
  await using(folder, async (log) => assert.equal((await powerOf(log, "verify")()).head, head));
}, windows);

diskTest("keeps nothing of a commit without room, and goes on when there is", async (folder) => {
  const log = sqliteLog(folder, { maxBytes: 300_000 });
  await log.open();
  const writer = new Writer();
  const text = "x".repeat(1_000);
  let head = 0;
  for (;;) {
    const batches = [writer.many(1, { author: `author ${head}` }), writer.many(9, { text })];
    const failed = await log.append(head, { batches, values: { head: `${head + 10}` } })
      .then(() => undefined, (error) => error);
    if (failed) {
      assert.ok(failed instanceof DiskFull, String(failed));
      assert.ok(failed.cause);
      break;
    }
    head += 10;
  }
  assert.ok(head > 50);
  await assert.rejects(append(log, new Writer(head + 1).many(9, { text })), DiskFull);
  assert.deepEqual(await firsts(log, { last: true, limit: 5 }), [head - 8]);
  assert.equal((await powerOf(log, "verify")()).head, head);
  await powerOf(log, "drop")({ keepFrom: head - 20 });
  const room = new Writer(head + 1).many(5, { text, author: `author ${head}` });
  await append(log, room);
  assert.equal((await powerOf(log, "verify")()).head, head + 5);
  await log.close();
  const again = sqliteLog(folder);
  const start = await again.open();
  assert.equal(start.head, head + 5);
  assert.deepEqual(start.values, { head: `${head}` });
  assert.equal(await again.lastMid(`author ${head}`), room.mids[4]);
  await again.close();
});

diskTest("never serves a damaged entry, and verify names it", async (folder) => {
  await using(folder, (log) => fill(log, [4, 250, 6, 5, ...Array(20).fill(256)]));
  flip(folder, "text 257");
  await using(folder, async (log) => {
    const damaged = { name: "LogDamaged", seq: 257, file: join(folder, "log.db") };
    await assert.rejects(log.read({}), damaged);
    await assert.rejects(log.read({ after: 256, limit: 1 }), damaged);
    await assert.rejects(log.read({ before: 258, last: true, limit: 1 }), damaged);
    await assert.rejects(log.find(ALICE, [mid(256)]), damaged);
    await assert.rejects(powerOf(log, "drop")({ keepFrom: 300 }), damaged);
    await assert.rejects(powerOf(log, "verify")(), damaged);
    assert.deepEqual(await firsts(log, { before: 255 }), [1, 5]);
    assert.deepEqual(await firsts(log, { after: 260, limit: 5 }), [261]);
  });
});

diskTest("does not go on from a damaged batch", async (folder) => {
  await using(folder, (log) => fill(log, [4, 3, ...Array(20).fill(256)]));
  edit(folder, "UPDATE batch SET crcs = x'' WHERE first = 5");
  await using(folder, async (log) => {
    const damaged = { name: "LogDamaged", seq: 5 };
    await assert.rejects(log.read({ after: 7, limit: 1 }), damaged);
    await assert.rejects(log.find(ALICE, [mid(8)]), damaged);
  });
});

diskTest("keeps nothing of a commit that is a defect of its caller", async (folder) => {
  await using(folder, async (log) => {
    const broken = [{ user: ALICE, json: undefined as unknown as string }];
    await assert.rejects(
      log.append(0, { batches: [new Writer().many(2)], members: broken }),
      TypeError,
    );
    await append(log, new Writer().many(1));
    assert.deepEqual(await powerOf(log, "verify")(), { entries: 1, batches: 1, head: 1 });
  });
});

diskTest("does not open when its newest entries are damaged", async (folder) => {
  await using(folder, (log) => fill(log, [4, 5, 6]));
  flip(folder, "text 11");
  await assert.rejects(sqliteLog(folder).open(), { name: "LogDamaged", seq: 11 });
});

const BEHIND: readonly (readonly [string, number])[] = [
  ["UPDATE batch SET json = replace(json, '\"author\"', '\"auth0r\"') WHERE first = 5", 5],
  ["UPDATE batch SET json = 'no json' WHERE first = 5", 5],
  ["UPDATE batch SET json = NULL WHERE first = 5", 5],
  ["UPDATE batch SET hash = zeroblob(32) WHERE first = 5", 5],
  ["UPDATE batch SET crcs = zeroblob(length(crcs)) WHERE first = 5", 5],
  ["UPDATE batch SET crcs = x'' WHERE first = 5", 5],
  ["UPDATE batch SET at = at + 1 WHERE first = 5", 5],
  ["UPDATE batch SET count = 2 WHERE first = 5", 5],
  ["UPDATE batch SET author = 2 WHERE first = 5", 5],
  ["UPDATE batch SET hi = lo WHERE first = 5", 5],
  ["UPDATE batch SET lo = NULL, hi = NULL WHERE first = 5", 5],
  ["UPDATE batch SET json = NULL WHERE first = 5128", 5128],
  ["DELETE FROM batch WHERE first = 5", 5],
  ["DELETE FROM batch WHERE first = 1", 1],
  ['UPDATE member SET json = \'{"role":"admin"}\'', 0],
  ["UPDATE value SET text = 'z'", 0],
  ["UPDATE meta SET value = 9999999 WHERE name = 'tail'", 0],
  ["DELETE FROM meta WHERE name = 'epoch'", 0],
  ["UPDATE meta SET value = 5 WHERE name = 'tail'", 0],
  ["UPDATE meta SET value = upper(value) WHERE name = 'epoch'", 0],
  ["UPDATE author SET user = 'nobody' WHERE id = 1", 0],
  ["DELETE FROM member", 0],
  ["DELETE FROM value", 0],
];

for (const [sql, seq] of BEHIND) {
  diskTest(`notices "${sql}"`, async (folder) => {
    await using(folder, async (log) => {
      await fill(log, [4, 3, ...Array(20).fill(256)]);
      const batches = [new Writer(5128, 9_000).join()];
      const members = [{ user: ALICE, json: '{"role":"member"}' }];
      await log.append(5127, { batches, members, values: { a: "b" } });
      assert.equal((await powerOf(log, "verify")()).head, 5128);
    });
    edit(folder, sql);
    await assert.rejects(using(folder, (log) => powerOf(log, "verify")()), {
      name: "LogDamaged",
      seq,
    });
  });
}

diskTest("notices an index that does not say what its rows say", async (folder) => {
  await using(folder, (log) => fill(log, [4, 3, 256]));
  // Only the index holds the greatest mid before the lowest.
  flip(folder, packMids([mid(7), mid(5)]));
  await assert.rejects(using(folder, (log) => powerOf(log, "verify")()), {
    name: "LogDamaged",
    seq: 0,
  });
});

diskTest("does not open when an author is another in its table or in its index", async (folder) => {
  const author = "somebody who wrote once";
  await using(folder, async (log) => {
    await append(log, new Writer().many(1, { author }));
  });
  const file = join(folder, "log.db");
  const whole = readFileSync(file);
  const places: number[] = [];
  for (let at = whole.indexOf(author); at >= 0; at = whole.indexOf(author, at + 1)) places.push(at);
  assert.equal(places.length, 3, "in the table, in its index, and in the batch");
  for (const at of places) {
    const bytes = Buffer.from(whole);
    bytes[at] ^= 1;
    writeFileSync(file, bytes);
    const log = sqliteLog(folder);
    await assert.rejects(log.open(), LogDamaged, `${at}`);
    await log.close();
  }
});

diskTest("does not open a file that is no database, or half of one", async (folder) => {
  await using(folder, (log) => fill(log, Array(20).fill(256)));
  const file = join(folder, "log.db");
  truncateSync(file, statSync(file).size >> 1);
  await assert.rejects(using(folder, (log) => powerOf(log, "verify")()), LogDamaged);
  writeFileSync(file, Buffer.alloc(20_000, "no database"));
  await assert.rejects(sqliteLog(folder).open(), { name: "LogDamaged", seq: 0, file });
});

// Frozen: what version 1 wrote. A migration must open it, whatever the list became.
const VERSION_1 = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE author (id INTEGER PRIMARY KEY, user TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE batch (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, at INTEGER NOT NULL,
    author INTEGER NOT NULL REFERENCES author (id), lo BLOB, hi BLOB, hash BLOB NOT NULL,
    crcs BLOB NOT NULL, mids BLOB, json TEXT) STRICT;
  CREATE INDEX batch_at ON batch (at);
  CREATE INDEX batch_mid ON batch (author, hi, lo) WHERE hi IS NOT NULL;
  CREATE TABLE member (user TEXT PRIMARY KEY, json TEXT NOT NULL, crc INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE value (name TEXT PRIMARY KEY, text TEXT NOT NULL, crc INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', 'old epoch'), ('tail', 1);
  INSERT INTO author VALUES (1, 'a');
  INSERT INTO batch VALUES (1, 1, 7, 1,
    x'019a00000000700080000000000000ff', x'019a00000000700080000000000000ff',
    x'58ff20a013414573eda5789bf16d571075f594c3f855ca3b5c097f2e1c01d3fe', x'd3b9e5dc', NULL,
    '{"first":1,"count":1,"at":7,"kind":"message","author":"a","messages":' ||
      '[["019a0000-0000-7000-8000-0000000000ff","old"]]}');
  INSERT INTO member VALUES ('a', '{"role":"member"}', 1683852601);
  INSERT INTO value VALUES ('k', 'b', 1684840679);
  PRAGMA user_version = 1;`;

diskTest("opens a folder of version 1", async (folder) => {
  edit(folder, VERSION_1);
  const log = sqliteLog(folder);
  const { epoch, head, members, values } = await log.open();
  assert.deepEqual([epoch, head, values], ["old epoch", 1, { k: "b" }]);
  assert.deepEqual(members, [{ user: "a", json: '{"role":"member"}' }]);
  await append(log, new Writer(2).many(3, { author: "a" }));
  const old = "019a0000-0000-7000-8000-0000000000ff";
  assert.deepEqual(await log.find("a", [old]), new Map([[old, { seq: 1, at: 7 }]]));
  assert.equal((await powerOf(log, "verify")()).head, 4);
  await log.close();
});

diskTest("refuses a folder of a newer version and leaves it as it is", async (folder) => {
  await using(folder, (log) => fill(log, [1]));
  edit(folder, `PRAGMA user_version = ${MIGRATIONS.length + 1}`);
  const before = readFileSync(join(folder, "log.db"));
  await assert.rejects(sqliteLog(folder).open(), { name: "FolderUnusable", message: /its format/ });
  assert.deepEqual(readFileSync(join(folder, "log.db")), before);
});

diskTest("refuses a folder that cannot be one", async (folder) => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  await assert.rejects(sqliteLog(file).open(), FolderUnusable);
  await assert.rejects(sqliteLog(join(file, "below")).open(), FolderUnusable);
  mkdirSync(join(folder, "taken", "log.db"), { recursive: true });
  await assert.rejects(sqliteLog(join(folder, "taken")).open(), FolderUnusable);
});
