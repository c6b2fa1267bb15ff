/** `group.ts backup` and `verify` beside a group that runs, hangs, is killed, or is somebody else's. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { askHolder } from "../../lib/run/ask_holder.ts";
import { groupRequest } from "../../lib/run/group_requests.ts";
import { Holder } from "../../lib/run/holder.ts";
import { Group } from "../support/inside.ts";
import { GROUP_PROGRAM } from "../runtimes.ts";
import { closing } from "../support.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

type Keep = Parameters<Parameters<typeof closing>[0]>[0];

/** How long a command may take, ms. */
const ENDS_WITHIN = 15_000;

/** A folder, and the programs that work on the group in it. */
class Place {
  readonly #keep: Keep;
  readonly path: string;
  readonly data: string;

  constructor(keep: Keep, data = "data") {
    this.#keep = keep;
    this.path = keep(new Folder()).path;
    this.data = join(this.path, data);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** A running group. */
  async group(...options: string[]): Promise<Process> {
    const own = ["--unlisted", "--data", this.data, "--home", this.path];
    const group = new Process(ours("group.ts", "Lab", "127.0.0.1:0", ...own, ...options));
    this.#keep(group);
    await group.line(/listens on/);
    return group;
  }

  /** A command on the group of the folder. */
  start(command: string, ...words: string[]): Process {
    return this.#keep(
      new Process(ours("group.ts", command, ...words, "--data", this.data, "--home", this.path)),
    );
  }

  /** The code of a command and all that it said. */
  async run(command: string, ...words: string[]) {
    const program = this.start(command, ...words);
    return { code: (await program.end(ENDS_WITHIN)).code, output: program.output };
  }
}

for (const transport of ["zmtp", "libzmq"]) {
  test(`two backups of a group that runs, asked for at once, are both made (over ${transport})`, () =>
    closing(async (keep) => {
      const place = new Place(keep);
      const options = ["--transport", transport];
      await place.group(...options);
      const files = ["a.db", "b.db"].map((name) => place.file(name));
      const made = await Promise.all(files.map((file) => place.run("backup", file)));
      for (const { code, output } of made) assert.equal(code, 0, output);
      for (const file of files) {
        const { code, output } = await place.run("verify", file);
        assert.equal(code, 0, output);
      }
    }));
}

for (const runs of [true, false]) {
  const what = runs ? "a group that runs" : "a stopped group";
  test(`two backups of ${what} to one file: one is made, the other told that it exists`, () =>
    closing(async (keep) => {
      const place = new Place(keep);
      const group = await place.group();
      if (!runs) assert.equal(await group.stop(), 0);
      const file = place.file("copy.db");
      const made = await Promise.all([place.run("backup", file), place.run("backup", file)]);
      made.sort((a, b) => a.code! - b.code!);
      assert.deepEqual(made.map(({ code }) => code), [0, 2], JSON.stringify(made));
      assert.match(made[1].output, /^FAILED: Cannot back up to .*copy\.db: it exists/m);
      assert.equal((await place.run("verify", file)).code, 0);
      const left = readdirSync(place.path).filter((name) => name.startsWith("copy.db"));
      assert.deepEqual(left, ["copy.db"]);
    }));
}

test("a group that was killed is copied without it, and is asked again when it is back", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    await (await place.group()).kill();
    assert.equal((await place.run("verify")).code, 0);
    await (await place.group()).kill();
    await place.group();
    const { code, output } = await place.run("backup", place.file("copy.db"));
    assert.equal(code, 0, output);
  }));

test("a group that hangs is told at once by its silence", {
  skip: process.platform === "win32" && "there is no SIGSTOP",
}, () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const group = await place.group();
    group.signal("SIGSTOP");
    try {
      await assert.rejects(askHolder(place.data, { op: "verify" }, {}, 1_500), {
        name: "FolderUnusable",
        message: /it has said nothing for 1.5 s; stop it/,
      });
    } finally {
      group.signal("SIGCONT");
    }
    assert.equal((await place.run("verify")).code, 0);
  }));

test("a command that is interrupted ends its own request and itself, with 130", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    assert.equal(await (await place.group()).stop(), 0);
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const log = sqliteLog(place.data);
    const holder = new Holder(groupRequest, (_, { signal }) => {
      begun.resolve();
      signal!.addEventListener("abort", () => ended.resolve());
      return ended.promise.then(() => Promise.reject(signal!.reason));
    });
    await log.open();
    try {
      await holder.listen(place.data);
      const backup = place.start("backup", place.file("copy.db"));
      await begun.promise;
      backup.signal("SIGINT");
      assert.deepEqual(await backup.end(ENDS_WITHIN), { code: 130, signal: null }, backup.output);
      await ended.promise;
    } finally {
      await holder.close();
      await log.close();
    }
  }));

test("a folder that is held by a process that takes no requests is told so within seconds", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    await (await Group.start({ name: "Lab", data: place.data, unlisted: true })).close();
    const log = sqliteLog(place.data);
    await log.open();
    try {
      const { code, output } = await place.run("verify");
      assert.equal(code, 1);
      assert.match(output, /^FAILED: Cannot ask the process .*another version.*stop it/m);
    } finally {
      await log.close();
    }
  }));

/** Root may do everything: it has another user do it, where one can run the programs. */
const OTHER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const isRoot = process.getuid?.() === 0;

/** Why nobody can lack rights here; undefined where somebody can. */
function nobodyLacksRights(): string | undefined {
  if (process.platform === "win32") return "there are no modes";
  if (!isRoot) return undefined;
  const [program, ...args] = [...OTHER, ...ours("group.ts", "--version")];
  const env = { ...process.env, DENO_DIR: mkdtempSync(join(tmpdir(), "zgroup-test-")) };
  chmodSync(env.DENO_DIR, 0o777);
  const { status } = spawnSync(program, args, { env });
  rmSync(env.DENO_DIR, { recursive: true });
  return status === 0
    ? undefined
    : "root may do everything, and no other user can run the programs";
}

test("missing rights are told as such, with whose they are and what to do", {
  skip: nobodyLacksRights() ?? false,
}, () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const group = await place.group();
    const [locked, cache] = ["locked", "cache"].map((name) => place.file(name));
    for (const folder of [locked, cache]) mkdirSync(folder);
    chmodSync(place.path, 0o755);
    chmodSync(cache, 0o777);
    const env = { DENO_DIR: cache };
    const lacking = async (path: string, mode: number, wanted: RegExp, ...words: string[]) => {
      const own = ["--data", place.data, "--home", place.path];
      const command = ours("group.ts", ...words, ...own);
      const { mode: before } = statSync(path);
      chmodSync(path, mode);
      const program = keep(new Process(isRoot ? [...OTHER, ...command] : command, { env }));
      const { code } = await program.end(ENDS_WITHIN);
      chmodSync(path, before & 0o777);
      assert.match(program.output, wanted);
      assert.ok(code === 1 || code === 2, `${code}`);
    };
    const [other, mode] = [isRoot ? "root" : userInfo().username, isRoot ? 0o700 : 0o000];
    const told = (path: string, what: string) =>
      new RegExp(
        `^FAILED: Cannot .*${path} belongs to ${other}, and \\w+ may not ${what} it; `,
        "m",
      );
    const log = join(place.data, "log.db");
    await lacking(place.data, mode, told("data", "read"), "verify");
    await lacking(place.data, 0o500 | (isRoot ? 0o055 : 0), told("data", "write"), "verify");
    if (isRoot) chmodSync(place.data, 0o777);
    await lacking(log, isRoot ? 0o600 : 0o000, told("log.db", "read"), "verify");
    if (isRoot) chmodSync(log, 0o666);
    const socket = readdirSync(place.data).find((name) => name.endsWith(".sock"))!;
    const note = join(place.data, "holder.json");
    await lacking(note, isRoot ? 0o600 : 0o000, told("holder.json", "read"), "verify");
    if (isRoot) chmodSync(note, 0o666);
    const path = join(place.data, socket);
    await lacking(path, isRoot ? 0o600 : 0o000, told(socket, "write"), "verify");
    assert.equal(await group.stop(), 0);
    const copy = join(locked, "copy.db");
    if (isRoot) {
      for (const name of readdirSync(place.data)) chmodSync(join(place.data, name), 0o666);
    }
    const shut = isRoot ? 0o755 : 0o500;
    await lacking(place.data, shut, told("data", "write"), "Lab", "127.0.0.1:0", "--unlisted");
    await lacking(locked, shut, told("locked", "write"), "backup", copy);
  }));

test("restore says how the group is started where it was put, and so it starts", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    await (await place.group()).stop();
    const file = place.file("copy.db");
    assert.equal((await place.run("backup", file)).code, 0);
    const elsewhere = place.file("other folder");
    const own = ["--home", place.file("home")];
    for (const where of [["--data", elsewhere], own]) {
      const name = where === own ? ["Lab"] : [];
      const command = ours("group.ts", "restore", file, ...name, ...where);
      const restoring = keep(new Process(command));
      assert.equal((await restoring.end(ENDS_WITHIN)).code, 0, restoring.output);
      const [, typed] = new RegExp(`start it with ${GROUP_PROGRAM} (.+)$`, "m")
        .exec(restoring.output)!;
      const words = [...typed.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
      const at = words.map((word) => word === "HOST:PORT" ? "127.0.0.1:0" : word);
      const again = keep(new Process(ours("group.ts", ...at, "--unlisted")));
      await again.line(/^Group Lab listens on/);
    }
  }));

test("two servers with one group's key: each says where the other one is", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const registry = keep(new Process(ours("registry.ts", "--port", "0", "--home", place.path)));
    const [, at] = /listens on ([^#]+)#/.exec(await registry.line(/listens on/))!;
    const serve = async (data: string) => {
      const options = ["--registry", at, "--data", place.file(data), "--home", place.path];
      const group = keep(new Process(ours("group.ts", "Lab", "127.0.0.1:0", ...options)));
      const [, address] = /listens on (\S+),/.exec(await group.line(/listens on/))!;
      return { group, address };
    };
    const first = await serve("data");
    const copy = place.file("copy.db");
    assert.equal((await place.run("backup", copy)).code, 0);
    const to = ["--data", place.file("restored"), "--home", place.path];
    const restore = keep(new Process(ours("group.ts", "restore", copy, "Lab", ...to)));
    assert.equal((await restore.end(ENDS_WITHIN)).code, 0, restore.output);
    const second = await serve("restored");
    for (const [{ group }, { address }] of [[first, second], [second, first]]) {
      const said = await group.line(/Another server with the key of Lab/);
      assert.ok(said.endsWith(`from ${address}: stop one of them`), said);
    }
  }));
