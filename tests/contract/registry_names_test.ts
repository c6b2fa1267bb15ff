/** A registry's names on disk: its formats, and what it does in one write. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { FolderUnusable, LogFailed } from "../../lib/errors.ts";
import { sqliteNames } from "../../lib/store/sqlite_name_store.ts";
import { inFolder } from "./log_support.ts";

const NOW = 1_795_215_435_253;
const KEY = "qbgZDipuQS34hBAAC0zsmwz_a7ZEZ4DKRMIBJV9i8gI";

/** A folder as a version of zgroup left it. */
function frozen(folder: string, version: number, more = ""): string {
  const sql = new URL(`../faults/frozen/names_v${version}.sql`, import.meta.url);
  mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(join(folder, "names.db"));
  db.exec(readFileSync(sql, "utf8") + more);
  db.close();
  return folder;
}

test("names of format 1 count as seen when they are first opened in format 2", () =>
  inFolder((folder) => {
    for (const now of [NOW, NOW + 5]) {
      const names = sqliteNames(now === NOW ? frozen(folder, 1) : folder, { now: () => now });
      assert.deepEqual(names.all().map((row) => ({ ...row })), [
        { name: "Lab", key: KEY, seen: NOW },
      ]);
      names.close();
    }
    return Promise.resolve();
  }));

const PLACE = { name: "Old", address: "127.0.0.1:5560", origin: "127.0.0.1", probed: true };

test("names of formats 2 and 3 open as they are, and those of a newer one are refused", () =>
  inFolder((folder) => {
    for (const [version, places] of [[2, []], [3, [PLACE]]] as const) {
      const names = sqliteNames(frozen(join(folder, `${version}`), version), { now: () => 1 });
      assert.equal(names.all()[0].seen, NOW);
      assert.deepEqual(names.places(), places);
      names.close();
    }
    const newer = frozen(join(folder, "newer"), 3, "PRAGMA user_version = 4;");
    assert.throws(
      () => sqliteNames(newer),
      (error) => error instanceof FolderUnusable && /newer/.test(error.message),
    );
    return Promise.resolve();
  }));

test("names of two processes are one process's", () =>
  inFolder((folder) => {
    const names = sqliteNames(folder);
    assert.throws(
      () => sqliteNames(folder),
      (error) => error instanceof FolderUnusable && /another registry/.test(error.message),
    );
    names.close();
    sqliteNames(folder).close();
    return Promise.resolve();
  }));

test("names: what comes together is one write, in its order, and the longest unseen comes first", () =>
  inFolder(async (folder) => {
    const commits: number[] = [];
    const names = sqliteNames(folder, { committed: (rows) => void commits.push(rows) });
    const add = (name: string, key: string, seen: number) => names.add({ name, key, seen });
    await Promise.all([add("a", "k1", 30), add("b", "k2", 20), add("c", "k3", 10)]);
    assert.deepEqual(commits, [3]);
    await Promise.all([
      names.free(["a", "nobody"]),
      add("a", "k4", 40),
      names.see([{ name: "c", key: "k3", seen: 50 }, { name: "b", key: "other", seen: 60 }]),
    ]);
    assert.deepEqual(commits, [3, 5]);
    const expected = ["b k2 20", "a k4 40", "c k3 50"];
    const held = (of: typeof names) =>
      of.all().map(({ name, key, seen }) => `${name} ${key} ${seen}`);
    assert.deepEqual(held(names), expected);
    names.close();
    const again = sqliteNames(folder);
    assert.deepEqual(held(again), expected);
    again.close();
  }));

test("names: many are written in parts, and what waits at the end is written", () =>
  inFolder(async (folder) => {
    const commits: number[] = [];
    const names = sqliteNames(folder, { committed: (rows) => void commits.push(rows) });
    const adding = Array.from(
      { length: 2_500 },
      (_, i) => names.add({ name: `n${i}`, key: "k", seen: i }),
    );
    names.close();
    names.close();
    await Promise.all(adding);
    assert.deepEqual(commits, [1_000, 1_000, 500]);
    await assert.rejects(names.add({ name: "late", key: "k", seen: 1 }), LogFailed);
    const again = sqliteNames(folder);
    assert.equal(again.all().length, 2_500);
    again.close();
  }));

test("names: a write that fails fails for all in it, keeps none of them, and the next one works", () =>
  inFolder(async (folder) => {
    const names = sqliteNames(folder);
    const add = (name: string) => names.add({ name, key: "k", seen: 1 });
    await add("first");
    // Not a text: SQLite refuses the row, after it has taken the one before.
    const bad = names.add({ name: null as unknown as string, key: "k", seen: 1 });
    const results = await Promise.allSettled([add("with it"), bad]);
    assert.deepEqual(results.map(({ status }) => status), ["rejected", "rejected"]);
    for (const result of results) {
      assert.ok(result.status === "rejected" && result.reason instanceof LogFailed);
    }
    await add("next");
    assert.deepEqual(names.all().map(({ name }) => name).sort(), ["first", "next"]);
    names.close();
  }));

test("places: one takes those of its name and its address away, and the oldest comes first", () =>
  inFolder(async (folder) => {
    const names = sqliteNames(folder);
    const keep = (name: string, port: number, probed = false) =>
      names.keepPlace({ ...PLACE, name, address: `127.0.0.1:${port}`, probed });
    await Promise.all([keep("a", 1), keep("b", 2), keep("c", 3), keep("d", 4)]);
    await Promise.all([keep("e", 2), keep("a", 5, true), names.dropPlaces(["d", "nobody"])]);
    const expected = ["c 127.0.0.1:3 false", "e 127.0.0.1:2 false", "a 127.0.0.1:5 true"];
    const held = (of: typeof names) =>
      of.places().map(({ name, address, probed }) => `${name} ${address} ${probed}`);
    assert.deepEqual(held(names), expected);
    names.close();
    const again = sqliteNames(folder);
    assert.deepEqual(held(again), expected);
    again.close();
  }));
