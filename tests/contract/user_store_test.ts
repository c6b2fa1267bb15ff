import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { midMaker } from "../../lib/identity/mids.ts";
import { loadKnown } from "../../lib/store/known_file.ts";
import { memoryStore } from "../../lib/store/memory_user_store.ts";
import { lookAtStore, storeOwner } from "../../lib/store/sqlite_user_look.ts";
import { sqliteStore } from "../../lib/store/sqlite_user_store.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import type { UserStore } from "../../lib/store/user_store.ts";
import { inFolder } from "./log_support.ts";

const LAB = {
  id: "a",
  name: "Lab",
  address: "127.0.0.1:5560",
  key: "",
  joined: true,
  role: "member",
};

/** Opens the store of a folder, by engine. */
const ENGINES: readonly (readonly [string, (folder: string) => UserStore])[] = [
  ["sqlite", (folder) => sqliteStore(folder)],
  ["memory", () => memoryStore()],
];

/** Epoch and cursor of the one group that a store knows. */
function place(store: UserStore): [epoch: string, cursor: number] {
  const [{ epoch, cursor }] = store.groups();
  return [epoch, cursor];
}

for (const [engine, open] of ENGINES) {
  test(`${engine} user store moves a cursor forward only, and starts it again with another epoch`, () =>
    inFolder((folder) => {
      const store = open(folder);
      store.save(LAB);
      assert.deepEqual(place(store), ["", 0]);
      store.moveCursor("a", "one", 7);
      store.moveCursor("a", "one", 5);
      assert.deepEqual(place(store), ["one", 7]);
      store.moveCursor("a", "two", 3);
      assert.deepEqual(place(store), ["two", 3]);
      store.save({ ...LAB, address: "127.0.0.1:5561" });
      assert.deepEqual([place(store), store.groups()[0].address], [["two", 3], "127.0.0.1:5561"]);
      store.forget("a");
      assert.deepEqual(store.groups(), []);
      store.close();
      store.close();
      return Promise.resolve();
    }));

  test(`${engine} user store keeps what proves a cursor with it, and none that is behind it`, () =>
    inFolder((folder) => {
      const store = open(folder);
      const proof = () => {
        const [{ base, tip }] = store.groups();
        return [base, tip];
      };
      const [one, two] = [{ seq: 3, hash: "one" }, { seq: 7, hash: "two" }];
      store.save(LAB);
      assert.deepEqual(proof(), [undefined, undefined]);
      store.moveCursor("a", "e", 8, { base: one, tip: two });
      store.moveCursor("a", "e", 7, { base: one, tip: one });
      store.save({ ...LAB, address: "127.0.0.1:5561" });
      assert.deepEqual(proof(), [one, two]);
      store.moveCursor("a", "e", 8, { base: two, tip: two });
      assert.deepEqual(proof(), [two, two]);
      store.moveCursor("a", "e", 9);
      assert.deepEqual(proof(), [undefined, undefined]);
      store.close();
      return Promise.resolve();
    }));

  test(`${engine} user store keeps messages until they are settled, groups by name`, () =>
    inFolder((folder) => {
      const store = open(folder);
      const mid = midMaker();
      const messages = ["one", "two", "three"].map((text): Message => [mid(), text]);
      store.enqueue("a", messages.slice(0, 2));
      store.enqueue("a", messages.slice(1));
      store.enqueue("b", messages.slice(0, 1));
      assert.deepEqual(store.pending("a"), messages);
      store.settle("a", [messages[1][0]]);
      assert.deepEqual(store.pending("a"), [messages[0], messages[2]]);
      assert.deepEqual(store.pending("c"), []);
      const fourth: Message = [mid(), "four"];
      store.enqueue("a", [fourth], false);
      store.enqueue("a", [fourth]);
      assert.deepEqual([...store.untried("a")], [fourth[0]], "it is there already, untried");
      const kept = store.kept("a", [messages[0][0], messages[1][0], fourth[0]]);
      assert.deepEqual([...kept], [messages[0][0], fourth[0]]);
      store.tried("a", [...kept]);
      assert.deepEqual([...store.untried("a"), ...store.kept("b", [fourth[0]])], []);
      store.settle("a", [fourth[0]]);
      for (const [id, name] of [["3", "B"], ["2", "A"], ["1", "B"]]) {
        store.save({ ...LAB, id, name });
      }
      assert.deepEqual(store.groups().map(({ id }) => id), ["2", "1", "3"]);
      store.close();
      return Promise.resolve();
    }));
}

for (const [engine, open] of ENGINES) {
  test(`${engine} user store keeps a ticket and pins until they are replaced or forgotten`, () =>
    inFolder((folder) => {
      const store = open(folder);
      store.keepTicket("a", "nobody's");
      store.save(LAB);
      assert.equal(store.groups()[0].ticket, "");
      store.keepTicket("a", "one");
      store.save({ ...LAB, joined: false });
      assert.equal(store.groups()[0].ticket, "one");
      assert.equal(store.pinned("127.0.0.1:5555"), undefined);
      store.pin("127.0.0.1:5555", "first");
      store.pin("127.0.0.1:5556", "other");
      store.pin("127.0.0.1:5555", "second");
      assert.equal(store.pinned("127.0.0.1:5555"), "second");
      assert.equal(store.pinned("127.0.0.1:5556"), "other");
      store.close();
      return Promise.resolve();
    }));
}

test("user store of the first format opens with what it held, and takes what came since", () =>
  inFolder((folder) => {
    const frozen = new URL("../faults/frozen/user_v1.sql", import.meta.url);
    const db = new DatabaseSync(join(folder, "user.db"));
    db.exec(readFileSync(frozen, "utf8"));
    db.close();
    for (const ticket of ["", "kept"]) {
      const store = sqliteStore(folder);
      const [group] = store.groups();
      assert.deepEqual({ ...group }, {
        id: "14d6cdd4-661f-8026-a6be-7f82c31b4f7e",
        name: "Lab",
        address: "127.0.0.1:35129",
        key: "qbgZDipuQS34hBAAC0zsmwz_a7ZEZ4DKRMIBJV9i8gI",
        joined: true,
        role: "member",
        epoch: "c89b8b0d-5317-4215-8eff-e6c0cdc1debc",
        cursor: 9,
        ticket,
      });
      assert.deepEqual(store.pending(group.id).map(([, text]) => text), ["waits in the outbox"]);
      store.keepTicket(group.id, "kept");
      store.save(group);
      store.pin("127.0.0.1:5555", "key");
      store.close();
    }
    return Promise.resolve();
  }));

test("user store of the third format opens with what it held, and takes other servers then", () =>
  inFolder((folder) => {
    const frozen = new URL("../faults/frozen/user_v3.sql", import.meta.url);
    const db = new DatabaseSync(join(folder, "user.db"));
    db.exec(readFileSync(frozen, "utf8"));
    db.close();
    const store = sqliteStore(folder);
    const [group] = store.groups();
    const [base, tip] = [{ seq: 5, hash: "h".repeat(43) }, { seq: 9, hash: "t".repeat(43) }];
    assert.deepEqual([group.servers, group.cursor, group.base, group.tip], [
      undefined,
      9,
      base,
      tip,
    ]);
    const servers = ["10.0.0.2:5560", "[fe80::1]:5560"];
    store.save({ ...group, servers });
    store.close();
    const again = sqliteStore(folder);
    assert.deepEqual(again.groups(), [{ ...group, servers }]);
    assert.deepEqual(loadKnown(folder)?.groups[0].servers, servers);
    again.close();
    return Promise.resolve();
  }));

for (const [engine, open] of ENGINES) {
  test(`${engine} user store knows where else a group is until it is told otherwise`, () =>
    inFolder((folder) => {
      const store = open(folder);
      const known = () => store.groups().map(({ servers }) => servers);
      store.save({ ...LAB, servers: ["10.0.0.2:5560"] });
      assert.deepEqual(known(), [["10.0.0.2:5560"]]);
      store.moveCursor("a", "e", 3);
      store.keepTicket("a", "one");
      assert.deepEqual(known(), [["10.0.0.2:5560"]]);
      store.save({ ...LAB, servers: [] });
      assert.deepEqual(known(), [undefined]);
      store.close();
      return Promise.resolve();
    }));
}

test("user store gives one folder to two programs, and keeps what is not settled", () =>
  inFolder((folder) => {
    const mid = midMaker();
    const messages = ["one", "two", "three"].map((text): Message => [mid(), text]);
    const [first, second] = [sqliteStore(folder), sqliteStore(folder)];
    first.save(LAB);
    first.enqueue("a", messages);
    second.enqueue("a", messages.slice(1));
    assert.deepEqual(second.pending("a"), messages);
    second.settle("a", [messages[1][0]]);
    first.close();
    second.close();
    const third = sqliteStore(folder);
    assert.deepEqual(third.pending("a"), [messages[0], messages[2]]);
    assert.deepEqual(third.pending("b"), []);
    assert.deepEqual(third.groups().map(({ name, joined }) => [name, joined]), [["Lab", true]]);
    third.close();
    return Promise.resolve();
  }));

test("user store without the write-ahead log of a killed program is older than its second copy", () =>
  inFolder((folder) => {
    const [home, left] = [join(folder, "home"), join(folder, "left")];
    const store = sqliteStore(home, "alice");
    mkdirSync(left);
    const leave = () => {
      for (const name of ["user.db", "known.json"]) {
        copyFileSync(join(home, name), join(left, name));
      }
    };
    store.save(LAB);
    leave();
    const older = {
      name: "FolderUnusable",
      message: /user\.db with its user\.db-wal is older .*user(\.ts)? restore --home /,
    };
    assert.throws(() => sqliteStore(left, "alice"), older);
    store.close();
    leave();
    sqliteStore(left, "alice").close();
    const again = sqliteStore(home, "alice");
    again.enqueue("a", [[midMaker()(), "first"]]);
    leave();
    assert.throws(() => sqliteStore(left, "alice"), older);
    again.close();
    return Promise.resolve();
  }));

test("user store that lost the end of its write-ahead log says so once, and how much", () =>
  inFolder((folder) => {
    const [home, left] = [join(folder, "home"), join(folder, "left")];
    const mid = midMaker();
    const store = sqliteStore(home, "alice");
    store.save(LAB);
    store.enqueue("a", [[mid(), "first"]]);
    const at = (name: string) => readFileSync(join(home, name));
    const length = at("user.db-wal").length;
    for (let i = 0; i < 5; i++) store.enqueue("a", [[mid(), `later ${i}`], [mid(), "and"]]);
    // As a killed program leaves it, less what came after the first.
    mkdirSync(left);
    for (const name of ["user.db", "known.json", "user.head"]) {
      copyFileSync(join(home, name), join(left, name));
    }
    writeFileSync(join(left, "user.db-wal"), at("user.db-wal").subarray(0, length));
    const loss = /^Messages .* may be lost, 10 or more: .*user\.db-wal was deleted or damaged/;
    for (let i = 0; i < 2; i++) assert.match(lookAtStore(left, "alice")!.warnings.join(), loss);
    const again = sqliteStore(left, "alice");
    assert.match(again.warnings.join(), loss);
    assert.deepEqual(again.pending("a").map(([, text]) => text), ["first"]);
    again.enqueue("a", [[mid(), "last"]]);
    again.close();
    for (const folder of [left, home]) {
      const third = sqliteStore(folder, "alice");
      assert.deepEqual(third.warnings, []);
      third.close();
    }
    store.close();
    return Promise.resolve();
  }));

test("user store is one user's, and says whose", () =>
  inFolder((folder) => {
    sqliteStore(folder, "alice").close();
    assert.throws(() => sqliteStore(folder, "bob"), {
      name: "FolderUnusable",
      message:
        /user\.db belongs to the user alice, identity\.json to bob; .*user(\.ts)? restore --home /,
    });
    assert.equal(storeOwner(folder), "alice");
    assert.equal(storeOwner(join(folder, "none")), undefined);
    return Promise.resolve();
  }));
