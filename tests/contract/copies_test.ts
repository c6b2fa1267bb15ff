/** Copies of a group: made while it runs or not, checked, restored. */

import { Group, type GroupServer } from "../support/inside.ts";
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { copies } from "../../lib/run/open_group.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";

import { fill, inFolder, powerOf } from "./log_support.ts";

/** A folder with a stopped group in it; what its `group.json` holds. */
async function madeGroup(data: string): Promise<string> {
  await using _group = await start(data);
  return readFileSync(join(data, "group.json"), "utf8");
}

function start(data: string): Promise<GroupServer> {
  return Group.start({ name: "Lab", data, registries: [] });
}

test("copies of a stopped group are restored with its key and another epoch", () =>
  inFolder(async (folder) => {
    const [data, file, other] = ["data", "copy.db", "deep/other"].map((name) => join(folder, name));
    const identity = await madeGroup(data);
    assert.equal(await copies.backup(data, file), 1);
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(await copies.verifyFile(file), { entries: 1, batches: 1, head: 1 });
    await assert.rejects(copies.backup(data, file), { name: "UsageError", message: /it exists/ });
    await assert.rejects(copies.restore(file, data), /there is a group in it/);
    await assert.rejects(copies.restore(file, other, "Loo"), /it holds the group "Lab"/);
    assert.equal(existsSync(other), false);
    await copies.restore(file, other, "Lab");
    assert.equal(readFileSync(join(other, "group.json"), "utf8"), identity);
    await using both = await opened(data, other);
    const [before, after] = both;
    assert.notEqual(after.start.epoch, before.start.epoch);
    assert.deepEqual({ ...after.start, epoch: "" }, { ...before.start, epoch: "" });
  }));

test("copies of a running group are made by the group itself", () =>
  inFolder(async (folder) => {
    const [data, file] = [join(folder, "data"), join(folder, "copy.db")];
    await using group = await start(data);
    assert.equal(await copies.backup(data, file), 1);
    assert.equal((await copies.verify(data)).head, 1);
    await assert.rejects(copies.backup(data, file), { name: "UsageError", message: /it exists/ });
    assert.equal((await copies.verifyFile(file)).head, group.group.head);
  }));

test("a damaged log is not copied, and its first bad entry is named", () =>
  inFolder(async (folder) => {
    const [data, file] = [join(folder, "data"), join(folder, "copy.db")];
    const whole = sqliteLog(data);
    await whole.open();
    await fill(whole, Array(60).fill(256));
    await whole.close();
    const bytes = readFileSync(join(data, "log.db"));
    bytes[bytes.indexOf('"text 700"') + 1] ^= 1;
    writeFileSync(join(data, "log.db"), bytes);
    const log = sqliteLog(data);
    await log.open();
    await assert.rejects(powerOf(log, "copy")(file), { name: "LogDamaged", seq: 700 });
    assert.deepEqual(readdirSync(folder), ["data"]);
    await log.close();
  }));

test("copies refuse what is none, and a log without a key", () =>
  inFolder(async (folder) => {
    const [data, file, text] = ["data", "copy.db", "text"].map((name) => join(folder, name));
    writeFileSync(text, "not a database, but long enough to be taken for one".repeat(20));
    await assert.rejects(copies.verifyFile(text), /Cannot/);
    await assert.rejects(copies.verifyFile(join(folder, "none")), { name: "UsageError" });
    await assert.rejects(copies.backup(join(folder, "none"), file), /there is no log in it/);
    const log = sqliteLog(data);
    await log.open();
    await powerOf(log, "copy")(file);
    await log.close();
    await assert.rejects(copies.restore(file, join(folder, "other")), /without the group's key/);
  }));

/** The starts of the logs of two folders; closed together. */
async function opened(...folders: string[]) {
  const logs = await Promise.all(folders.map(async (folder) => {
    const log = sqliteLog(folder);
    return { log, start: await log.open() };
  }));
  return Object.assign(logs, {
    async [Symbol.asyncDispose]() {
      for (const { log } of logs) await log.close();
    },
  });
}
