/** Files and databases: whole or not there, readable by their owner alone, one meaning an error. */

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { load, loadOrMake, makeFolder, replace, save, touch } from "../../lib/disk/files.ts";
import { type Database, openDatabase, type Opening } from "../../lib/disk/sqlite.ts";
import { FolderUnusable } from "../../lib/errors.ts";
import { inFolder } from "./log_support.ts";

const diskTest = (criterion: string, body: (folder: string) => void) =>
  test(`disk: ${criterion}`, () =>
    inFolder((folder) => {
      body(folder);
      return Promise.resolve();
    }));

/** Permissions of a file or folder. */
function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

const windows = process.platform === "win32";

diskTest("a file is made once, and replaced as a whole", (folder) => {
  const file = join(folder, "deep", "er", "file.json");
  assert.equal(load(file), undefined);
  assert.deepEqual(loadOrMake(file, () => ({ n: 1 })), { n: 1 });
  assert.deepEqual(loadOrMake(file, () => ({ n: 2 })), { n: 1 });
  // Another program makes it between the look and the making.
  const late = join(folder, "late.json");
  const made = loadOrMake(late, () => {
    save(late, { n: "theirs" });
    return { n: "ours" };
  });
  assert.deepEqual(made, { n: "theirs" });
  save(file, { n: 3 });
  assert.deepEqual(load(file), { n: 3 });
  assert.deepEqual(readdirSync(join(folder, "deep", "er")), ["file.json"]);
  if (windows) return;
  assert.equal(mode(file), 0o600);
  assert.deepEqual([mode(join(folder, "deep")), mode(join(folder, "deep", "er"))], [0o700, 0o700]);
});

diskTest("a write that fails leaves what was there, and nothing else", (folder) => {
  const file = join(folder, "file.json");
  save(file, { n: 1 });
  const defect = new Error("half way");
  assert.throws(() =>
    replace(file, (part) => {
      writeFileSync(part, "half");
      throw defect;
    }), (error) => error === defect);
  assert.deepEqual(load(file), { n: 1 });
  assert.deepEqual(readdirSync(folder), ["file.json"]);
  const below = { name: "FolderUnusable", message: /^Cannot write / };
  assert.throws(() => save(join(file, "below"), {}), below);
  assert.throws(() => save(join(folder, "none", "file.json"), {}), below);
  writeFileSync(file, "{");
  assert.throws(() => load(file), { name: "FolderUnusable", message: /it is not JSON/ });
});

diskTest("what is there is neither made nor touched", (folder) => {
  const file = join(folder, "file");
  writeFileSync(file, "mine");
  touch(file);
  assert.equal(readFileSync(file, "utf8"), "mine");
  makeFolder(folder);
  makeFolder(folder);
  assert.throws(() => makeFolder(file));
});

const SCHEMA = ["CREATE TABLE one (n INTEGER)", "ALTER TABLE one ADD COLUMN m INTEGER"];

/** Runs `work` with a database of this format, and closes it. */
function withDatabase(folder: string, opening: Partial<Opening>, work?: (db: Database) => void) {
  const whole: Opening = { sharing: "alone", migrations: SCHEMA, ...opening };
  openDatabase(folder, "some.db", whole, (db) => db).close();
  const db = openDatabase(folder, "some.db", whole, (db) => db);
  try {
    work?.(db);
  } finally {
    db.close();
  }
}

for (const sharing of ["alone", "shared"] as const) {
  diskTest(
    `a database (${sharing}) goes through what is new, and is never taken back`,
    (folder) => {
      const below = join(folder, "below");
      withDatabase(below, { sharing, migrations: SCHEMA.slice(0, 1) });
      if (!windows) assert.deepEqual([mode(below), mode(join(below, "some.db"))], [0o700, 0o600]);
      const dies = [...SCHEMA, () => assert.fail("died")];
      assert.throws(() => withDatabase(below, { sharing, migrations: dies }), /died/);
      withDatabase(below, { sharing, migrations: SCHEMA.slice(0, 1) });
      withDatabase(below, { sharing }, (db) => db.exec("INSERT INTO one VALUES (1, 2)"));
      assert.throws(
        () => withDatabase(below, { sharing, migrations: SCHEMA.slice(0, 1) }),
        {
          name: "FolderUnusable",
          message: `Cannot open ${below}: its format is 2, this version of ` +
            "zgroup knows up to 1; use a newer one",
        },
      );
      assert.deepEqual(readdirSync(below), ["some.db"]);
    },
  );

  diskTest(`a database (${sharing}) says what it is not`, (folder) => {
    const file = join(folder, "some.db");
    writeFileSync(file, "no database, but long enough to be taken for one".repeat(50));
    const cannot = "Cannot use it";
    assert.throws(() => withDatabase(folder, { sharing, cannot }), { name: "LogDamaged", file });
    assert.throws(() => withDatabase(file, { sharing, cannot }), FolderUnusable);
    mkdirSync(join(folder, "taken", "some.db"), { recursive: true });
    assert.throws(
      () => withDatabase(join(folder, "taken"), { sharing, cannot }),
      (error) => error instanceof FolderUnusable && /^Cannot use it: .*write$/.test(error.message),
    );
  });
}

diskTest("a database keeps all of a transaction or nothing", (folder) => {
  withDatabase(folder, {}, (db) => {
    const count = db.prepare("SELECT count(*) AS n FROM one");
    const insert = db.prepare("INSERT INTO one (n) VALUES (?)");
    const rows = () => (count.get() as { n: number }).n;
    const defect = new Error("half way");
    assert.throws(() =>
      db.transaction(() => {
        insert.run(1);
        throw defect;
      }), (error) => error === defect);
    assert.equal(rows(), 0);
    assert.equal(db.transaction(() => insert.run(1) && "done"), "done");
    assert.equal(rows(), 1);
  });
});

diskTest("a database that is held is refused with the way out", (folder) => {
  withDatabase(folder, {}, () => {
    const held = "stop the other one";
    assert.throws(() => withDatabase(folder, { held }), {
      name: "FolderUnusable",
      message: `Cannot open ${folder}: stop the other one`,
    });
  });
  withDatabase(folder, { sharing: "shared" }, () => withDatabase(folder, { sharing: "shared" }));
});
