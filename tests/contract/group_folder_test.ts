/** A group's folder with a file that is missing, cut, changed, another's or older: told, and mended. */

import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LogDamaged } from "../../lib/errors.ts";
import { HEAD_FILE } from "../../lib/log/head_record.ts";
import { folderProblems } from "../../lib/run/group_folder.ts";
import { copies } from "../../lib/run/open_group.ts";
import { connect } from "../../mod.ts";
import { copyFolder } from "../support/folder.ts";
import { Group, type GroupServer } from "../support/inside.ts";
import { closing } from "../support.ts";
import { inFolder } from "./log_support.ts";

/** Bytes of a page in the write-ahead log, with what stands before it. */
const [WAL_HEAD, FRAME] = [32, 24 + 8_192];

interface World {
  readonly folder: string;
  /** As a stop, and as a kill leaves it: with entries that are in the write-ahead log alone. */
  readonly stopped: string;
  readonly killed: string;
  /** What they hold. */
  readonly head: number;
  readonly id: string;
  readonly epoch: string;
}

/** A test with the folders of a group that has been at work. */
function folderTest(criterion: string, body: (world: World) => Promise<void>): void {
  test(`group folder: ${criterion}`, () =>
    inFolder(async (folder) => {
      const [stopped, killed] = [join(folder, "stopped"), join(folder, "killed")];
      const said: World[] = [];
      await serving(stopped, async ({ group, address }) => {
        const user = await connect({ registries: [] });
        await user.join(address);
        for (let i = 1; i <= 20; i++) await user.send("Lab", `message ${i}`);
        await user.close();
        const { id, epoch } = group.state;
        said.push({ folder, stopped, killed, head: group.head, id, epoch });
        copyFolder(stopped, killed);
      });
      assert.deepEqual(readdirSync(stopped).filter((name) => name.startsWith("log.db-")), []);
      assert.ok(statSync(join(killed, "log.db-wal")).size > FRAME);
      await body(said[0]);
    }));
}

/** Serves a folder while `body` runs; what was warned of meanwhile. */
async function serving<T>(
  data: string,
  body: (server: GroupServer) => T | Promise<T>,
): Promise<{ result: T; warnings: string[] }> {
  const warnings: string[] = [];
  const log = {
    info() {},
    warn: (text: string) => void warnings.push(text),
    close: () => Promise.resolve(),
  };
  const server = await Group.start({ name: "Lab", data, unlisted: true, log });
  try {
    return { result: await body(server), warnings };
  } finally {
    await server.close();
  }
}

const factsOf = ({ group }: GroupServer) => ({
  id: group.state.id,
  epoch: group.state.epoch,
  head: group.head,
});

/** Everything in a folder, by name. */
function content(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(folder, name)).toString("base64")]),
  );
}

/** What a start and its checks say of a folder, which must be the same, and leave its key alone. */
async function refusalOf(data: string): Promise<string> {
  const before = content(data);
  const problems = folderProblems(data);
  assert.deepEqual(content(data), before, "a look changes nothing");
  assert.equal(problems.length, 1, problems.join("\n"));
  const refusals: string[] = [];
  for (const open of [() => serving(data, () => {}), () => copies.verify(data)]) {
    await assert.rejects(open(), (error) => {
      assert.ok(error instanceof LogDamaged, String(error));
      refusals.push(error.message);
      return true;
    });
  }
  assert.equal(content(data)["group.json"], before["group.json"]);
  assert.ok(/(group\.ts|zgroup group) restore COPY --data/.test(refusals[0]), refusals[0]);
  assert.equal(refusals[0], problems[0]);
  return refusals[0];
}

const KEY_FILES: Readonly<Record<string, (text: string) => string | undefined>> = {
  "is missing": () => undefined,
  "is empty": () => "",
  "is cut": (text) => text.slice(0, text.length >> 1),
  "is {}": () => "{}",
  "is a list": () => "[]",
  "has a number for a name": (text) => text.replace('"Lab"', "7"),
  "has no key": (text) => text.replace(/"secretKey": "[^"]+"/, '"secretKey": "none"'),
  "has another founder": (text) => text.replace(/"founder": "[^"]*"/, '"founder": "me"'),
};

for (const [what, change] of Object.entries(KEY_FILES)) {
  folderTest(`no new identity is made when group.json ${what}`, async ({ stopped, ...was }) => {
    const file = join(stopped, "group.json");
    const text = readFileSync(file, "utf8");
    const changed = change(text);
    if (changed === undefined) rmSync(file);
    else writeFileSync(file, changed);
    assert.match(await refusalOf(stopped), /group\.json: .*; put it back/);
    writeFileSync(file, text);
    const { result, warnings } = await serving(stopped, factsOf);
    const { id, epoch, head } = was;
    assert.deepEqual([result, warnings], [{ id, epoch, head }, []]);
  });
}

folderTest("a start stops where log.db is missing or empty", async ({ stopped, ...was }) => {
  const file = join(stopped, "log.db");
  const bytes = readFileSync(file);
  for (const wanted of [/log\.db is missing, and 22 entries were/, /log\.db is empty, and 22/]) {
    if (/missing/.test(wanted.source)) rmSync(file);
    else writeFileSync(file, "");
    assert.match(await refusalOf(stopped), wanted);
  }
  // The key alone knows that there was something.
  const record = readFileSync(join(stopped, HEAD_FILE));
  rmSync(join(stopped, HEAD_FILE));
  rmSync(file);
  assert.match(await refusalOf(stopped), /log\.db is missing, and it had some/);
  writeFileSync(file, bytes);
  writeFileSync(join(stopped, HEAD_FILE), record);
  assert.equal((await serving(stopped, factsOf)).result.head, was.head);
});

const WALS: Readonly<Record<string, (file: string) => void>> = {
  missing: (file) => rmSync(file),
  empty: (file) => truncateSync(file, 0),
  cut: (file) => truncateSync(file, statSync(file).size - 6 * FRAME),
};

for (const [what, damage] of Object.entries(WALS)) {
  folderTest(`a start stops where the write-ahead log is ${what}`, async (world) => {
    const { killed, folder, head, id, epoch } = world;
    const wal = join(killed, "log.db-wal");
    const bytes = readFileSync(wal);
    assert.equal((bytes.length - WAL_HEAD) % FRAME, 0);
    const before = join(folder, "before");
    copyFolder(killed, before);
    damage(wal);
    const said = await refusalOf(killed);
    assert.match(said, /(ends at entry \d+|holds no entry), and 22 were acknowledged/);
    if (what !== "cut") assert.match(said, new RegExp(`log\\.db-wal is ${what}`));

    // The ways out: the file put back, or what is left, as another history.
    const left = join(folder, "left");
    copyFolder(killed, left);
    writeFileSync(wal, bytes);
    assert.deepEqual((await serving(killed, factsOf)).result, { id, epoch, head });
    const again = join(folder, "again");
    const restored = await copies.restore(left, again);
    assert.ok(restored.head < head);
    const { result, warnings } = await serving(again, factsOf);
    assert.deepEqual([result.id, warnings], [id, []]);
    assert.notEqual(result.epoch, epoch);
  });
}

folderTest("what is left is the key alone", async ({ stopped, folder, id, epoch }) => {
  rmSync(join(stopped, "log.db"));
  const again = join(folder, "again");
  await copies.restore(stopped, again, "Lab");
  const { result } = await serving(again, factsOf);
  assert.equal(result.id, id);
  assert.notEqual(result.epoch, epoch);
  rmSync(join(again, "log.db"));
  await refusalOf(again);
});

folderTest("a start stops where a file is another group's", async ({ stopped, folder }) => {
  const other = join(folder, "other");
  await (await Group.start({ name: "Lab", data: other, unlisted: true })).close();
  for (
    const [name, wanted] of [
      ["log.db", /is the log of another group/],
      ["group.json", /is the log of another group/],
      [HEAD_FILE, /another history/],
    ] as const
  ) {
    const mixed = join(folder, `mixed ${name}`);
    copyFolder(stopped, mixed);
    copyFileSync(join(other, name), join(mixed, name));
    assert.match(await refusalOf(mixed), wanted);
  }
});

folderTest("a start stops where log.db is of an earlier moment", async ({ stopped, folder }) => {
  const early = readFileSync(join(stopped, "log.db"));
  await serving(stopped, async ({ address }) => {
    const user = await connect({ registries: [] });
    await user.join(address);
    await user.close();
  });
  const late = join(folder, "late");
  copyFolder(stopped, late);
  writeFileSync(join(late, "log.db"), early);
  assert.match(await refusalOf(late), /ends at entry 22, and 23 were acknowledged/);
});

folderTest("a record that says nothing costs a warning", async ({ stopped, killed, head }) => {
  const record = join(stopped, HEAD_FILE);
  const whole = readFileSync(record);
  for (
    const [bytes, wanted] of [
      [undefined, /was missing/],
      [whole.subarray(0, 100), /could not be read/],
      [whole.map((byte, i) => i === 9 ? byte ^ 1 : byte), /could not be read/],
    ] as const
  ) {
    if (bytes) writeFileSync(record, bytes);
    else rmSync(record);
    const { result, warnings } = await serving(stopped, factsOf);
    assert.equal(result.head, head);
    assert.match(warnings.join(), wanted);
    assert.deepEqual(readFileSync(record), whole);
    assert.deepEqual((await serving(stopped, factsOf)).warnings, []);
  }
  // A record is a lower bound: one of an earlier moment is right.
  writeFileSync(join(killed, HEAD_FILE), readFileSync(record));
  assert.deepEqual((await serving(killed, factsOf)).warnings, []);
});

folderTest("one of an earlier version is taken as it is", async ({ stopped, head }) => {
  const file = join(stopped, "group.json");
  const { sum: _, founded: __, ...former } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, JSON.stringify({ ...former, curve: "of an earlier version" }));
  rmSync(join(stopped, HEAD_FILE));
  assert.deepEqual(folderProblems(stopped), []);
  const { result, warnings } = await serving(stopped, factsOf);
  assert.deepEqual([result.head, warnings], [head, []]);
  const { founded, curve } = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual([founded, curve], [true, "of an earlier version"]);
  rmSync(join(stopped, "log.db"));
  await refusalOf(stopped);
});

folderTest("a crash before the first entry costs nothing", async ({ stopped, folder }) => {
  const { founded: _, sum: __, ...file } = JSON.parse(
    readFileSync(join(stopped, "group.json"), "utf8"),
  );
  for (const kept of [[], ["log.db"], ["log.db", HEAD_FILE]]) {
    const data = join(folder, `begun ${kept.length}`);
    const empty = join(folder, "empty log");
    if (!existsSync(empty)) await beforeFounding(file, empty);
    copyFolder(empty, data);
    for (const name of readdirSync(data)) {
      if (name !== "group.json" && !kept.includes(name)) rmSync(join(data, name));
    }
    assert.deepEqual(folderProblems(data), []);
    const { result, warnings } = await serving(data, factsOf);
    assert.deepEqual([result.id.length, warnings], [36, []]);
  }
});

/** A folder whose log is open, and has no entry. */
async function beforeFounding(file: object, data: string): Promise<void> {
  const { groupLog, parseGroupFile } = await import("../../lib/run/group_folder.ts");
  const text = JSON.stringify(file);
  const log = groupLog(data, parseGroupFile(text), assert.fail);
  await log.open();
  await log.close();
  writeFileSync(join(data, "group.json"), text);
}

folderTest("nothing is found wrong while the group runs", ({ stopped }) =>
  closing(async (keep) => {
    const { address } = keep(await Group.start({ name: "Lab", data: stopped, unlisted: true }));
    const user = keep(await connect({ registries: [] }));
    await user.join(address);
    assert.deepEqual(folderProblems(stopped), []);
    await user.send("Lab", "one more");
    assert.deepEqual(folderProblems(stopped), []);
    assert.deepEqual(folderProblems(join(stopped, "none")), []);
  }));

folderTest("a folder is not restored to where a group is", async ({ stopped, folder, id }) => {
  const [copy, moved] = [join(folder, "copy.db"), join(folder, "moved")];
  await copies.backup(stopped, copy);
  writeFileSync(join(stopped, "log.db"), "");
  await refusalOf(stopped);
  await assert.rejects(copies.restore(copy, stopped), /there is a group in it; move it away/);
  renameSync(stopped, moved);
  await copies.restore(copy, stopped);
  assert.equal((await serving(stopped, factsOf)).result.id, id);
});

folderTest("a port that cannot be read is not another one in silence", async ({ stopped }) => {
  const file = join(stopped, "ports.json");
  const { main } = JSON.parse(readFileSync(file, "utf8"));
  const start = (address?: string) =>
    Group.start({ name: "Lab", data: stopped, unlisted: true, ...(address ? { address } : {}) });
  for (const text of ["", "{}", '{"main": 70000}', `{"main": "${main}"`]) {
    writeFileSync(file, text);
    const [problem, ...more] = folderProblems(stopped);
    assert.deepEqual(more, []);
    await assert.rejects(start(), { name: "FolderUnusable", message: problem });
    assert.match(problem, /ports\.json: .*; remove it, and start the group once at the HOST:PORT/);
  }
  rmSync(file);
  const moved = await start("127.0.0.1:0");
  const { address } = moved;
  await moved.close();
  assert.equal(`127.0.0.1:${JSON.parse(readFileSync(file, "utf8")).main}`, address);
});
