/** What a person has read, on the person's own disk. */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { GroupEntry } from "../../lib/protocol/batch.ts";
import type { KeptRange, KeptStore } from "../../lib/store/kept_store.ts";
import { keptProblem, sqliteKeptStore } from "../../lib/store/sqlite_kept_store.ts";
import { closing } from "../support.ts";
import { Folder } from "../support/folder.ts";
import { fill, SmallDisk } from "../support/small_disk.ts";
import { inFolder } from "./log_support.ts";

const LAB = { id: "lab", name: "Lab" };
const NOW = 1_700_000_000_000;

/** Entry `seq` of a group, `seq` seconds after `NOW`. */
function message(seq: number, more: object = {}): GroupEntry {
  const mid = `0190a1b2-c3d4-7000-8000-${String(seq).padStart(12, "0")}`;
  return {
    ...{ group: "Lab", epoch: "e", seq, at: NOW + seq * 1_000, kind: "message" },
    ...{ author: "a", name: "alice", mid, text: `text ${seq}`, signature: "valid", ...more },
  } as GroupEntry;
}

/** Entries `from` to `to`, a batch of 10 each. */
function fillStore(store: KeptStore, from: number, to: number, more: object = {}): void {
  for (let seq = from; seq <= to; seq += 10) {
    const many = Math.min(10, to - seq + 1);
    store.keep(LAB.id, Array.from({ length: many }, (_, i) => message(seq + i, more)));
  }
}

function seqs(store: KeptStore, range: KeptRange = {}): number[] {
  return store.read(LAB, range).map(({ seq }) => seq);
}

/** Works with the store of a folder, which is closed then. */
function using<T>(folder: string, most: number | undefined, work: (store: KeptStore) => T): T {
  const store = sqliteKeptStore(folder, most);
  try {
    return work(store);
  } finally {
    store.close();
    store.close();
  }
}

test("kept entries come back as they were read, by any range, also to the next program", () =>
  inFolder((folder) => {
    const join = { kind: "join", body: { role: "member" }, mid: undefined, text: undefined };
    using(folder, 100, (store) => {
      fillStore(store, 1, 30);
      store.keep(LAB.id, [message(31, { ...join, signature: "none" })]);
      store.keep("other", [message(7)]);
    });
    using(folder, undefined, (store) => {
      assert.equal(seqs(store).length, 31);
      assert.deepEqual(store.read(LAB, { limit: 1 }), [message(1)]);
      const [last] = store.read({ ...LAB, name: "Renamed" }, { after: 30 });
      assert.deepEqual(
        { ...last },
        JSON.parse(JSON.stringify({
          ...message(31, { ...join, signature: "none" }),
          group: "Renamed",
        })),
      );
      assert.deepEqual(seqs(store, { after: 10, before: 14 }), [11, 12, 13]);
      assert.deepEqual(seqs(store, { since: NOW + 29_000 }), [29, 30, 31]);
      assert.deepEqual(seqs(store, { until: NOW + 2_000 }), [1, 2]);
      assert.deepEqual(seqs(store, { limit: 2, last: true }), [30, 31]);
      assert.deepEqual(seqs(store, { limit: 2, last: true, before: 9 }), [7, 8]);
      assert.deepEqual(store.read({ id: "nowhere", name: "N" }, {}), []);
      fillStore(store, 40, 50);
      assert.equal(seqs(store).length, 31, "nothing is added");
    });
    if (process.platform !== "win32") {
      assert.equal(statSync(`${folder}/messages.db`).mode & 0o777, 0o600);
    }
    return Promise.resolve();
  }));

test("of a group the newest entries are kept, by number and by bytes; of all that wait, too", () =>
  inFolder((folder) => {
    using(folder, 25, (store) => {
      fillStore(store, 1, 100);
      assert.deepEqual(seqs(store), Array.from({ length: 25 }, (_, i) => 76 + i));
      fillStore(store, 101, 110);
      assert.deepEqual(seqs(store)[0], 86);
      // Older ones that are read again do not push newer ones out.
      fillStore(store, 1, 50);
      assert.deepEqual([seqs(store)[0], seqs(store).length], [86, 25]);
    });
    using(folder, 10_000, (store) => {
      const large = { text: "x".repeat(60_000) };
      for (let seq = 201; seq <= 600; seq += 10) fillStore(store, seq, seq + 9, large);
      const kept = seqs(store);
      assert.equal(kept.at(-1), 600);
      assert.ok(kept.length > 200 && kept.length * 60_000 < 17 * 1_048_576, `${kept.length}`);
    });
    assert.ok(statSync(join(folder, "messages.db")).size < 24 * 1_048_576);
    return Promise.resolve();
  }));

test("an entry that is not verified takes nobody's place; another epoch takes everybody's", () =>
  inFolder((folder) =>
    Promise.resolve(using(folder, 100, (store) => {
      fillStore(store, 1, 10);
      assert.equal(seqs(store).length, 10);
      store.keep(LAB.id, [message(3, { text: "forged", signature: "invalid" })]);
      store.keep(LAB.id, [message(4, { text: "corrected" })]);
      store.keep(LAB.id, [message(11, { text: "forged", signature: "invalid" })]);
      const texts = store.read(LAB, { after: 2 }).map(({ seq, text }) => `${seq} ${text}`);
      assert.deepEqual([texts[0], texts[1], texts.at(-1)], [
        "3 text 3",
        "4 corrected",
        "11 forged",
      ]);
      fillStore(store, 1, 2, { epoch: "f" });
      assert.deepEqual(store.read(LAB, {}).map(({ epoch, seq }) => epoch + seq), ["f1", "f2"]);
      const db = new DatabaseSync(join(folder, "messages.db"));
      assert.equal(db.prepare("SELECT count(*) AS rows FROM kept").get()?.rows, 2);
      db.close();
    }))
  ));

test("what is forgotten is gone from the disk, and 0 removes the file", () =>
  inFolder((folder) => {
    const holds = (text: string) =>
      readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(text));
    using(folder, 100, (store) => {
      store.keep(LAB.id, [message(1, { text: "a secret of Lab" })]);
      store.keep("other", [message(1, { text: "a secret of another" })]);
      assert.deepEqual(seqs(store), [1]);
      assert.ok(holds("a secret of Lab"));
      store.forget(LAB.id);
      store.forget("unknown");
      assert.deepEqual(seqs(store), []);
      assert.ok(!holds("a secret of Lab"));
      assert.ok(holds("a secret of another"));
    });
    writeFileSync(join(folder, "messages.db.damaged"), "of an earlier time");
    using(folder, 0, (store) => {
      fillStore(store, 1, 10);
      assert.deepEqual(seqs(store), []);
    });
    assert.deepEqual(readdirSync(folder), []);
    using(folder, undefined, (store) => assert.deepEqual(seqs(store), []));
    assert.deepEqual(readdirSync(folder), []);
    return Promise.resolve();
  }));

test("a damaged messages.db is set aside and begun anew; a row that is not as it was is left out", () =>
  inFolder((folder) => {
    const path = join(folder, "messages.db");
    using(folder, 1_000, (store) => fillStore(store, 1, 500));
    const db = new DatabaseSync(path);
    db.exec("UPDATE kept SET entry = replace(entry, 'text 7', 'text 8') WHERE seq = 7");
    db.close();
    assert.equal(keptProblem(folder), undefined);
    using(
      folder,
      1_000,
      (store) => assert.deepEqual(seqs(store, { before: 10 }).includes(7), false),
    );
    const whole = readFileSync(path);
    for (
      const [what, bytes] of [
        ["no database", new TextEncoder().encode("no database at all ".repeat(100))],
        ["empty but for its head", whole.subarray(0, 4_096)],
        ["torn", whole.map((byte, i) => i > 4_096 && i % 7 === 0 ? 0xff : byte)],
      ] as const
    ) {
      writeFileSync(path, bytes);
      assert.ok(keptProblem(folder) instanceof Error, what);
      using(folder, 1_000, (store) => {
        assert.deepEqual(seqs(store), [], what);
        fillStore(store, 1, 20);
        assert.equal(seqs(store).length, 20, what);
      });
      assert.deepEqual(readFileSync(`${path}.damaged`), Buffer.from(bytes), what);
      assert.equal(keptProblem(folder), undefined, what);
    }
    // Of a newer version: it is not touched, and nothing is kept.
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 99");
    newer.close();
    using(folder, 1_000, (store) => {
      fillStore(store, 1, 20);
      assert.deepEqual(seqs(store), []);
    });
    assert.ok(!readFileSync(path).equals(readFileSync(`${path}.damaged`)));
    return Promise.resolve();
  }));

test("several programs of one home keep side by side, also when one sets the file aside or removes it", () =>
  inFolder((folder) => {
    const [one, other] = [sqliteKeptStore(folder, 1_000), sqliteKeptStore(folder, 1_000)];
    fillStore(one, 1, 10);
    assert.equal(seqs(one).length, 10);
    fillStore(other, 11, 20);
    assert.equal(seqs(other).length, 20);
    assert.equal(seqs(one).length, 20);
    using(folder, 0, () => {});
    assert.deepEqual(seqs(one), []);
    fillStore(one, 21, 30);
    assert.equal(seqs(one).length, 10);
    assert.equal(seqs(other).length, 10);
    for (const store of [one, other]) store.close();
    return Promise.resolve();
  }));

test("a full disk disturbs nobody: what finds no room is not kept", (t) =>
  closing((keep) => {
    const disk = keep(new SmallDisk(join(keep(new Folder()).path, "disk"), "1m"));
    if (disk.problem !== undefined) return Promise.resolve(t.diagnostic(disk.problem));
    using(disk.path, 1_000, (store) => {
      fillStore(store, 1, 10);
      assert.equal(seqs(store).length, 10);
      const filler = fill(disk.path, "filler");
      fillStore(store, 11, 900, { text: "x".repeat(2_000) });
      assert.deepEqual(seqs(store).slice(0, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      rmSync(filler);
    });
    using(disk.path, 1_000, (store) => {
      fillStore(store, 11, 20);
      assert.deepEqual([seqs(store)[0], seqs(store).at(-1)], [1, 20]);
    });
    assert.ok(!existsSync(join(disk.path, "messages.db.damaged")));
    return Promise.resolve();
  }));
