/** How commands ask the process that holds a group's folder: over real sockets. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { DiskFull, LogDamaged } from "../../lib/errors.ts";
import type { Watch } from "../../lib/log/log.ts";
import { askHolder } from "../../lib/run/ask_holder.ts";
import { Holder } from "../../lib/run/holder.ts";
import { groupRequest, type Handle, type HolderRequest } from "../../lib/run/group_requests.ts";
import { note, noteFile } from "../../lib/run/requests.ts";
import { closing, until } from "../support.ts";
import { inFolder } from "./log_support.ts";

const VERIFY = { op: "verify" } as const;
const CHECKED = { entries: 1, batches: 1, head: 1 };
const WINDOWS = process.platform === "win32";

/** A holder of a folder that listens, and is closed at the end. */
async function listening(
  folder: string,
  handle: Handle,
): Promise<Holder<HolderRequest> & AsyncDisposable> {
  const holder = new Holder(groupRequest, handle);
  await holder.listen(folder);
  return Object.assign(holder, { [Symbol.asyncDispose]: () => holder.close() });
}

/** Work that goes on until it is let go, or its signal ends it. */
class Work {
  readonly begun: Watch[] = [];
  readonly #ends: ((reply: typeof CHECKED) => void)[] = [];

  readonly handle: Handle = (_, watch) =>
    new Promise((resolve, reject) => {
      this.begun.push(watch);
      this.#ends.push(resolve);
      watch.signal!.addEventListener("abort", () => reject(watch.signal!.reason));
    });

  /** The `nth` piece of work is done. */
  async end(nth: number): Promise<void> {
    await until(() => this.#ends.length > nth, 5_000, `work ${nth}`);
    this.#ends[nth]({ ...CHECKED, head: nth });
  }
}

test("holder answers requests one after the other, each its own", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const work = new Work();
      keep(await listening(folder, work.handle));
      const asked = [0, 1, 2].map(() => askHolder(folder, VERIFY));
      for (let i = 0; i < 3; i++) {
        await until(() => work.begun.length > i, 5_000, `work ${i}`);
        assert.equal(work.begun.length, i + 1);
        await work.end(i);
      }
      const heads = (await Promise.all(asked)).map((reply) => reply?.head);
      assert.deepEqual(heads.sort(), [0, 1, 2]);
    })
  ));

test("holder tells how far it is, and ends the work of an asker who leaves, and no other's", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const work = new Work();
      keep(await listening(folder, work.handle));
      const leaves = new AbortController();
      const first = askHolder(folder, VERIFY, { signal: leaves.signal });
      first.catch(() => {});
      await until(() => work.begun.length > 0, 5_000, "the first");
      const seen: number[] = [];
      const waits = new AbortController();
      const second = askHolder(folder, VERIFY, { signal: waits.signal });
      second.catch(() => {});
      const third = askHolder(folder, VERIFY, { progress: (done) => seen.push(done) });
      leaves.abort(new Error("left"));
      waits.abort(new Error("left, too"));
      await assert.rejects(first, /left/);
      await assert.rejects(second, /left, too/);
      await until(() => work.begun[0].signal!.aborted, 5_000, "the end of the first");
      // Whoever left while it waited may have been let in just before.
      const mine = await until(
        () => work.begun.find(({ signal }) => !signal!.aborted),
        5_000,
        "work for the third",
      );
      mine.progress!(7, 9);
      await until(() => seen.includes(7), 5_000, "progress");
      await work.end(work.begun.indexOf(mine));
      assert.equal((await third)!.head, work.begun.indexOf(mine));
    })
  ));

test("holder that ends tells whoever it works for, and lets those who wait try themselves", () =>
  inFolder(async (folder) => {
    const work = new Work();
    const holder = new Holder(groupRequest, work.handle);
    await holder.listen(folder);
    const first = askHolder(folder, VERIFY);
    const begun = assert.rejects(first, { name: "FolderUnusable", message: /ended before/ });
    await until(() => work.begun.length > 0, 5_000, "the first");
    const second = askHolder(folder, VERIFY);
    await holder.close();
    await begun;
    assert.equal(await second, undefined);
    assert.equal(work.begun[0].signal!.aborted, true);
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(await askHolder(folder, VERIFY), undefined);
    await holder.close();
  }));

test("holder's errors arrive as what they are", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const errors = [new LogDamaged("log.db", 7, "damaged"), new DiskFull("full"), new Error("x")];
      keep(await listening(folder, () => Promise.reject(errors.shift())));
      await assert.rejects(
        askHolder(folder, VERIFY),
        (error) => error instanceof LogDamaged && error.seq === 7 && error.file === "log.db",
      );
      await assert.rejects(askHolder(folder, VERIFY), { name: "DiskFull", message: "full" });
      await assert.rejects(askHolder(folder, VERIFY), { name: "Error", message: "x" });
    })
  ));

test("holder takes the place of one that was killed, in folders of any length", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const long = join(folder, "l".repeat(120));
      mkdirSync(long);
      for (const data of [folder, long]) {
        // Two at once stand for one that left all it had made.
        keep(await listening(data, () => Promise.resolve({ ...CHECKED, head: 1 })));
        const former = note(data)!;
        keep(await listening(data, () => Promise.resolve({ ...CHECKED, head: 2 })));
        assert.equal((await askHolder(data, VERIFY))!.head, 2);
        const { socket, token } = note(data)!;
        assert.notEqual(token, former.token);
        if (WINDOWS) continue;
        assert.equal(dirname(socket) === data, data === folder);
        assert.equal(existsSync(former.socket), false);
        for (const path of [socket, noteFile(data)]) {
          assert.equal(statSync(path).mode & 0o777, 0o600, path);
        }
      }
    })
  ));

test("holder is asked by whoever can read the folder, in whole sentences, and by nobody else", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      let asked = 0;
      keep(
        await listening(folder, () => {
          asked++;
          return Promise.resolve(CHECKED);
        }),
      );
      const { token } = note(folder)!;
      const relative = { op: "backup", file: "copy.db", part: "copy.db.part" };
      const wrong: [string, RegExp][] = [
        ["rubbish\n", /no line of JSON/],
        ["\0\xff\n", /no line of JSON/],
        ["null\n", /folder's owner/],
        [JSON.stringify({ request: VERIFY }) + "\n", /folder's owner/],
        [JSON.stringify({ token: token.slice(1), request: VERIFY }) + "\n", /folder's owner/],
        [JSON.stringify({ token, request: { op: "drop" } }) + "\n", /another version/],
        [JSON.stringify({ token, request: relative }) + "\n", /another version/],
        ["x".repeat(100_000), /no line of JSON/],
      ];
      for (const [line, wanted] of wrong) {
        const socket = connect(note(folder)!.socket);
        let said = "";
        socket.setEncoding("utf8").on("data", (text: string) => said += text);
        socket.on("error", () => {}); // It may be cut before all is written.
        socket.write(line);
        await once(socket, "close");
        if (line.length < 100_000) assert.match(said, wanted);
      }
      assert.equal(asked, 0);
      assert.deepEqual(await askHolder(folder, VERIFY), CHECKED);
    })
  ));

test("holder answers while 1,000 connections say nothing, or never end their line", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      keep(await listening(folder, () => Promise.resolve(CHECKED)));
      const { socket: path } = note(folder)!;
      const sockets: Socket[] = [];
      let closed = 0;
      try {
        for (let i = 0; i < 1_000; i++) {
          const socket = connect(path);
          sockets.push(socket);
          socket.on("error", () => {}).on("close", () => closed++);
          if (i % 2 === 0) socket.write("x".repeat(1_000));
          if (i % 100 === 99) {
            assert.deepEqual(await askHolder(folder, VERIFY), CHECKED);
          }
        }
        await until(() => closed >= 1_000 - 64, 10_000, "the oldest to be cut");
        assert.deepEqual(await askHolder(folder, VERIFY), CHECKED);
        await until(() => closed === 1_000, 10_000, "the silent ones to be cut");
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    })
  ));

test("holder refuses requests beyond its bound, and answers those before", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const work = new Work();
      keep(await listening(folder, work.handle));
      const asked = Array.from({ length: 20 }, () => askHolder(folder, VERIFY));
      let refusals = 0;
      for (const one of asked) one.catch(() => refusals++);
      const told = Promise.allSettled(asked);
      await until(() => refusals === 4, 5_000, "refusals");
      for (let i = 0; i < 16; i++) await work.end(i);
      const ends = await told;
      const refused = ends.filter(({ status }) => status === "rejected");
      assert.equal(refused.length, 4);
      for (const end of refused) {
        assert.match(String((end as PromiseRejectedResult).reason), /too many wait already/);
      }
    })
  ));

test("nobody is asked by a note that makes no sense", () =>
  inFolder(async (folder) => {
    const holder = new Holder(groupRequest, () => Promise.resolve(CHECKED));
    await holder.listen(folder);
    const kept = readFileSync(noteFile(folder), "utf8");
    assert.match(kept, /"token"/);
    await holder.close();
    for (const text of ["", "{", "[]", '{"socket":7,"token":"x"}']) {
      writeFileSync(noteFile(folder), text);
      assert.equal(await askHolder(folder, VERIFY), undefined);
    }
  }));

test("holder says when a request is done and its asker has the answer, or left before", () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const work = new Work();
      let answered = 0;
      const holder = new Holder(groupRequest, work.handle, () => answered++);
      await holder.listen(folder);
      keep({ [Symbol.asyncDispose]: () => holder.close() });
      const asked = askHolder(folder, VERIFY);
      await work.end(0);
      assert.equal((await asked)?.head, 0);
      await until(() => answered === 1, 5_000, "the first is answered");
      await holder.close();
      const done = Promise.withResolvers<typeof CHECKED>();
      const noticed = Promise.withResolvers<void>();
      // Work that is past the point where it could be ended.
      const stays = new Holder(groupRequest, (_, { signal }) => {
        signal!.addEventListener("abort", () => noticed.resolve());
        return done.promise;
      }, () => answered++);
      await stays.listen(folder);
      keep({ [Symbol.asyncDispose]: () => stays.close() });
      const leaves = new AbortController();
      const begun = () => leaves.abort(new Error("left"));
      const left = askHolder(folder, VERIFY, { signal: leaves.signal, progress: begun });
      await assert.rejects(left, /left/);
      await noticed.promise;
      await setImmediate();
      assert.equal(answered, 1);
      done.resolve(CHECKED);
      await until(() => answered === 2, 5_000, "the second is done");
    })
  ));
