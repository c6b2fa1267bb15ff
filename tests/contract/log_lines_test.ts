/** Log files of servers: bounded, and whole, whoever writes them. */

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { LogFile } from "../../lib/run/log_file.ts";
import { openLog } from "../../lib/run/logging.ts";
import { closing, until } from "../support.ts";
import { ours, Process } from "../system/processes.ts";
import { inFolder } from "./log_support.ts";

const WINDOWS = process.platform === "win32" && "an open file has one name";

/** The files of a folder, the oldest first. */
function filesOf(folder: string): string[] {
  const age = (name: string) => Number(/\d+$/.exec(name)?.[0] ?? 0);
  return readdirSync(folder).sort((a, b) => age(b) - age(a));
}

function linesOf(folder: string): string[] {
  const text = filesOf(folder).map((name) => readFileSync(join(folder, name), "utf8")).join("");
  assert.ok(text.endsWith("\n"));
  return text.slice(0, -1).split("\n");
}

test("log of servers stays below 17 MB, keeps the newest lines, and is its owner's", {
  skip: WINDOWS,
}, () =>
  inFolder(async (folder) => {
    const log = openLog({ file: join(folder, "servers.log") });
    const rest = "x".repeat(1_000);
    for (let i = 0; i < 24_000; i++) log.info(`${i} ${rest}`);
    await log.close();
    const files = filesOf(folder);
    assert.deepEqual(files, ["servers.log.3", "servers.log.2", "servers.log.1", "servers.log"]);
    const sizes = files.map((name) => statSync(join(folder, name)).size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(total > 12_000_000 && total < 17_000_000, `${sizes}`);
    for (const name of files) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    const numbers = linesOf(folder).map((line) => Number(line.split(" ")[2]));
    assert.equal(numbers.at(-1), 23_999);
    numbers.forEach((number, i) => assert.equal(number, numbers[0] + i));
  }));

test("log lines of several processes are whole, and none is lost while files are put aside", {
  skip: WINDOWS,
}, () =>
  inFolder((folder) =>
    closing(async (keep) => {
      const logs = join(folder, "logs");
      mkdirSync(logs);
      const words = (name: string) => [join(logs, "servers.log"), "20000", "200", name, "6000"];
      const child = "tests/contract/log_lines_child.ts";
      const writers = ["a", "b", "c", "d"].map((name) =>
        keep(new Process(ours(child, ...words(name))))
      );
      for (const writer of writers) assert.equal((await writer.end(60_000)).code, 0, writer.output);
      assert.ok(filesOf(logs).length > 10, `${filesOf(logs).length} files`);
      const next = new Map<string, Set<number>>();
      for (const line of linesOf(logs)) {
        const [, name, number, rest] = /^([a-d]) (\d+) (x*)\.$/.exec(line) ?? [];
        assert.equal(rest?.length, Number(number) % 90, line);
        const seen = next.get(name) ?? new Set();
        next.set(name, seen.add(Number(number)));
      }
      assert.deepEqual([...next].map(([, seen]) => seen.size), [6_000, 6_000, 6_000, 6_000]);
    })
  ));

test("log file goes on when somebody moved or removed it, or died while it was put aside", {
  skip: WINDOWS,
}, () =>
  inFolder(async (folder) => {
    const path = join(folder, "servers.log");
    const log = openLog({ file: path });
    const write = async (text: string) => {
      log.info(text);
      await until(
        () => existsSync(path) && readFileSync(path, "utf8").endsWith(`${text}\n`),
        5_000,
        text,
      );
    };
    await write("first");
    renameSync(path, join(folder, "moved"));
    await write("second");
    assert.match(readFileSync(join(folder, "moved"), "utf8"), /first\n$/);
    rmSync(path);
    await write("third");
    await log.close();
    assert.match(readFileSync(path, "utf8"), /^\S+ \S+ third\n$/);

    mkdirSync(`${path}.lock`);
    const file = new LogFile(path, { size: 1, kept: 1 });
    assert.ok(file.fd > 0);
    assert.deepEqual(filesOf(folder), ["moved", "servers.log", "servers.log.lock"]);
    utimesSync(`${path}.lock`, 1, 1);
    assert.ok(file.fd > 0);
    file.close();
    assert.deepEqual(filesOf(folder), ["servers.log.1", "moved", "servers.log"]);
  }));
