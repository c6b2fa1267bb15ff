/** What a log does that can write a copy of itself to a file. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Closed, UsageError } from "../../lib/errors.ts";
import { powerSuite } from "./log_engines.ts";
import { ALICE, append, fill, powerOf, Writer } from "./log_support.ts";

powerSuite("copy", (copyTest) => {
  copyTest("copies a log that goes on, with values of the copy's own", async (opened) => {
    const { log, copy, folder, ofCopy } = opened;
    const file = join(folder, "copy.db");
    await fill(log, [4, 256, 3]);
    const members = [{ user: ALICE, json: "1" }];
    await log.append(263, { batches: [], members, values: { a: "b" } });
    await powerOf(log, "drop")({ keepFrom: 5 });
    const read = await log.read({});
    assert.deepEqual(await copy(file, { values: { a: "other", key: "k" } }), { head: 263 });
    await append(log, new Writer(264, 9_000).many(1));
    assert.equal((await powerOf(log, "verify")()).head, 264);
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);
    const { log: other, start } = await ofCopy(file);
    assert.deepEqual([start.epoch, start.head, start.tail], [opened.start.epoch, 263, 5]);
    assert.deepEqual([start.members, start.values], [members, { a: "other", key: "k" }]);
    assert.deepEqual(await other.read({}), read);
    assert.equal((await powerOf(other, "verify")()).head, 263);
  });

  copyTest("copies what is appended and dropped meanwhile, whole at one seq", async (opened) => {
    const { log, copy, folder, ofCopy } = opened;
    const file = join(folder, "copy.db");
    await fill(log, Array(60).fill(256));
    const seen: [number, number][] = [];
    const copied = copy(file, { progress: (...at) => seen.push(at) });
    const writer = new Writer(60 * 256 + 1, 9_000);
    for (let i = 0; i < 10; i++) await append(log, writer.many(256));
    await powerOf(log, "drop")({ keepFrom: 30 * 256 });
    const { head } = await copied;
    assert.ok(head >= 60 * 256, `${head}`);
    assert.ok(seen.length > 2, "it is not told how far it is");
    const bytes = readFileSync(file);
    const { log: other, start } = await ofCopy(file);
    assert.equal(start.head, head);
    assert.equal((await powerOf(other, "verify")()).head, head);
    // The copy may be of the moment before the drop.
    assert.ok(start.tail <= log.tail, `${start.tail} of ${log.tail}`);
    const range = { after: log.tail - 1, before: head + 1, limit: 1e6 };
    assert.deepEqual(await other.read(range), await log.read(range));
    // What the copy knows as dropped is nowhere in its bytes.
    const [kept] = await other.read({ limit: 1 });
    assert.equal(kept.first, start.tail);
    const holds = (first: number) => bytes.includes(`"first":${first},`);
    assert.deepEqual([start.tail > 1 && holds(start.tail - 256), holds(start.tail)], [false, true]);
  });

  copyTest("ends a copy that nobody wants any more, and leaves nothing of it", async (opened) => {
    const { log, copy, folder } = opened;
    await fill(log, Array(60).fill(256));
    const before = readdirSync(folder).sort();
    const stop = new AbortController();
    const progress = () => stop.abort(new Error("unwanted"));
    const part = join(folder, "copy.part");
    await assert.rejects(copy(join(folder, "copy.db"), { signal: stop.signal, progress, part }), {
      message: "unwanted",
    });
    assert.deepEqual(readdirSync(folder).sort(), before);
  });

  copyTest("copies to one file at a time, whoever asks first", async ({ log, copy, folder }) => {
    await fill(log, Array(20).fill(256));
    const file = join(folder, "copy.db");
    const ends = await Promise.allSettled([copy(file), copy(file)]);
    const failed = ends.filter(({ status }) => status === "rejected");
    assert.equal(failed.length, 1);
    assert.match(String((failed[0] as PromiseRejectedResult).reason), /it exists/);
  });

  copyTest("copies to a new file only, and leaves no other", async ({ log, copy, folder }) => {
    await append(log, new Writer().many(1));
    const before = readdirSync(folder).sort();
    await assert.rejects(copy(join(folder, "none", "copy.db")), UsageError);
    assert.deepEqual(readdirSync(folder).sort(), before);
    const file = join(folder, "copy.db");
    writeFileSync(file, "mine");
    await assert.rejects(copy(file), { name: "UsageError", message: /it exists/ });
    assert.equal(readFileSync(file, "utf8"), "mine");
    assert.deepEqual(readdirSync(folder).sort(), [...before, "copy.db"].sort());
  });

  copyTest("copies nothing when it is closed", async ({ log, copy, folder }) => {
    await log.close();
    await assert.rejects(copy(join(folder, "copy.db")), Closed);
  });
});
