/** A user's folder that is not what it was: what programs say, what doctor finds, and the way out. */

import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lookAtHome, restoreHome } from "../../lib/run/open_home.ts";
import { connect, Group, Registry, type UserEvent } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { type Keep, member } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { bare, Folder } from "./world.ts";

/** A home of alice, who is in Lab and has a message that Lab did not take; and what runs programs. */
async function world(keep: Keep) {
  const base = keep(new Folder()).path;
  const [home, data] = [join(base, "home"), join(base, "lab")];
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const lab = await Group.start({ name: "Lab", registries, data });
  const alice = await member(registries, "alice", home);
  await alice.join("Lab");
  await lab.close();
  await assert.rejects(alice.send("Lab", "waits", { within: 100 }), { name: "Unreachable" });
  await alice.close();
  const run = async (...words: string[]) => {
    const program = keep(new Process(ours("user.ts", ...words, "--registry", bare(registries[0]))));
    program.finish();
    const { code } = await program.end(20_000);
    return { code, output: program.output };
  };
  return { home, lab, registries, registry, data, run };
}

/** The command that a sentence names, as words for `user.ts`. */
function namedIn(output: string): string[] {
  const [, line] = /user(?:\.ts)? (restore( --[\w-]+)* --home \S+)/.exec(output) ?? [];
  assert.ok(line, `no way out: ${output}`);
  return line.split(" ");
}

// The fault program user_files has all of them; these are for what people see.
const CASES: Readonly<Record<string, (home: string) => void>> = {
  "user.db is missing": (home) => rmSync(join(home, "user.db")),
  "user.db is cut": (home) => {
    const file = join(home, "user.db");
    writeFileSync(file, readFileSync(file).subarray(0, 9_000));
  },
};

for (const [what, damage] of Object.entries(CASES)) {
  test(`user files: ${what}: told, found, brought back, and the group is known by its key`, () =>
    closing(async (keep) => {
      const { home, lab, run } = await world(keep);
      damage(home);
      const told = await run("groups", "--home", home);
      assert.equal(told.code, 1, told.output);
      assert.match(told.output, /user\.db/);
      const found = await run("doctor", "--home", home);
      assert.equal(found.code, 1);
      assert.match(found.output, /^WRONG .*user\.db/m);
      assert.doesNotMatch(found.output, /All is well/);
      const restored = await run(...namedIn(told.output));
      assert.equal(restored.code, 0, restored.output);
      assert.match(restored.output, /Brought back: 1 group, 1 key of registries, /);
      assert.match(restored.output, /More may have waited to be sent, and is lost/);
      // Whoever has its name and its address now is not the one that was pinned.
      keep(await Group.start({ name: "Lab", address: lab.address, registries: [] }));
      const read = await run("read", "Lab", "--home", home);
      assert.equal(read.code, 1, read.output);
      assert.match(read.output, /ITS IDENTITY HAS CHANGED/);
    }));
}

test("user files: what waited to be sent goes out after a restore, once", () =>
  closing(async (keep) => {
    const { home, registries, data, run } = await world(keep);
    const older = `${home}-older`;
    cpSync(home, older, { recursive: true });
    // What came later is known by the second copy.
    const beside = keep(await Group.start({ name: "Later", registries }));
    const alice = await member(registries, "alice", home);
    await alice.join(beside.address);
    await alice.close();
    cpSync(join(older, "user.db"), join(home, "user.db"));
    const told = await run("groups", "--home", home);
    assert.equal(told.code, 1, told.output);
    assert.match(told.output, /user\.db with its user\.db-wal is older than known\.json/);
    const restored = await run(...namedIn(told.output));
    assert.match(
      restored.output,
      /Brought back: 2 groups, 1 key of registries, 1 message not sent/,
    );
    keep(await Group.start({ name: "Lab", registries, data }));
    const sent = await run("send", "Lab", "and", "now", "--home", home);
    assert.equal(sent.code, 0, sent.output);
    const { output } = await run("read", "Lab", "--json", "--home", home);
    const lines = output.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.flatMap(({ text }) => text ?? []), ["waits", "and now"]);
  }));

const IDENTITIES: Readonly<Record<string, string | undefined>> = {
  "missing": undefined,
  "an empty object": "{}",
  "empty": "",
  "cut": '{\n  "name": "ali',
  "null": "null",
  "of wrong types": '{"name":"alice","secretKey":7}',
  "with half a key": '{"name":"alice","secretKey":"abcdef"}',
};

test("user files: an identity that is not what was written ends a program with the way out", () =>
  closing(async (keep) => {
    const { home, registries, run } = await world(keep);
    const file = join(home, "identity.json");
    const whole = readFileSync(file);
    const before = (await run("whoami", "--home", home)).output;
    for (const [what, text] of Object.entries(IDENTITIES)) {
      if (text === undefined) rmSync(file);
      else writeFileSync(file, text);
      const message = /^Cannot .*identity\.json.*put a copy of it back.*restore --new-user --home /;
      await assert.rejects(
        connect({ home, registries }),
        { name: "FolderUnusable", message },
        what,
      );
      const { hasUser, problems } = lookAtHome(home);
      assert.equal(hasUser, false, what);
      assert.match(problems.join("\n"), message, what);
      assert.throws(() => restoreHome(home, {}), { name: "FolderUnusable", message }, what);
    }
    rmSync(file);
    const found = await run("doctor", "--home", home);
    assert.equal(found.code, 1);
    assert.match(found.output, /^WRONG .*identity\.json is missing/m);
    assert.equal(existsSync(file), false, "doctor makes none");
    writeFileSync(file, whole);
    assert.equal((await run("whoami", "--home", home)).output, before);
    rmSync(file);
    const told = await run("whoami", "--home", home);
    assert.equal(told.code, 1, told.output);
    const restored = await run(...namedIn(told.output), "--name", "bob");
    assert.equal(restored.code, 0, restored.output);
    assert.match(restored.output, /You are a new user, .* \(1 group, 1 key of registries\)/);
    assert.match((await run("whoami", "--home", home)).output, /bob/);
    assert.match((await run("restore", "--home", home)).output, /^Nothing is wrong in /);
  }));

test("user files: messages that were lost with the end of user.db-wal are told, once, and all goes on", () =>
  closing(async (keep) => {
    const { home, registries, run } = await world(keep);
    const alice = keep(await member(registries, "alice", home));
    const send = (text: string) =>
      assert.rejects(alice.send("Lab", text, { within: 50 }), { name: "Unreachable" });
    await send("first");
    const wal = join(home, "user.db-wal");
    const { length } = readFileSync(wal);
    for (const text of ["second", "third"]) await send(text);
    await until(
      () => readFileSync(join(home, "user.head"), "utf8").includes(",4]"),
      5_000,
      "all are kept",
    );
    // As programs leave it that are killed.
    const [one, two] = [`${home}-one`, `${home}-two`];
    for (const left of [one, two]) {
      cpSync(home, left, { recursive: true });
      writeFileSync(join(left, "user.db-wal"), readFileSync(wal).subarray(0, length));
    }
    const loss = /^(\* )?Messages that waited to be sent may be lost, 2 or more: .*user\.db-wal/m;
    const found = await run("doctor", "--home", one);
    assert.equal(found.code, 1);
    assert.match(found.output, /^WRONG +Messages .*any command goes on without them$/m);
    assert.match(found.output, /^ok +you are alice/m);
    assert.match((await run("restore", "--home", one)).output, /^Nothing is wrong in /);
    const told = await run("groups", "--home", one);
    assert.equal(told.code, 0, told.output);
    assert.match(told.output, loss);
    assert.doesNotMatch((await run("groups", "--home", one)).output, /may be lost/);
    const again = keep(await connect({ home: two, registries }));
    const warning = await new Promise<UserEvent>((resolve) => again.on(resolve));
    assert.match(warning.type === "warning" ? warning.text : warning.type, loss);
  }));

test("user files: doctor finds what is wrong beside a running program, and changes nothing", () =>
  closing(async (keep) => {
    const { home, registries, run } = await world(keep);
    // In a process of its own: to read a database's file is to let go this process's locks on it.
    const alice = keep(
      new Process(ours("user.ts", "--home", home, "--registry", bare(registries[0]))),
    );
    alice.write("/whoami\n");
    await alice.line(/^alice#/);
    const files = ["identity.json", "user.db", "known.json"].map((name) => join(home, name));
    const contents = () => files.map((file) => readFileSync(file, "base64"));
    const before = contents();
    const doctor = await run("doctor", "--home", home);
    // Lab does not run, and all else is well.
    assert.match(doctor.output, /^ok +what is kept in it is whole$/m);
    assert.match(doctor.output, /^1 of \d+ things (is|are) wrong$/m);
    assert.deepEqual(contents(), before);
    writeFileSync(files[2], "{");
    assert.match(
      (await run("doctor", "--home", home)).output,
      /^WRONG .*known\.json: it is damaged/m,
    );
    assert.equal(readFileSync(files[2], "utf8"), "{");
    const other = keep(await member(registries, "other", `${home}-other`));
    cpSync(join(`${home}-other`, "identity.json"), files[0]);
    const told = await run("whoami", "--home", home);
    assert.match(
      told.output,
      new RegExp(`user\\.db belongs to the user .*, identity\\.json to ${other.id}`),
    );
    const used = await run(...namedIn(told.output));
    assert.equal(used.code, 1);
    assert.match(used.output, /another program of this user has it open, end it and try again/);
    assert.deepEqual(readdirSync(home).filter((name) => name.startsWith("set-aside")), []);
  }));

test("user files: the files of a registry, of its pins and of profiles are looked at, too", () =>
  closing(async (keep) => {
    const { home, run } = await world(keep);
    const registry = () => Registry.start({ home, port: 0 });
    await (await registry()).close();
    const group = await Group.start({ name: "Own", home, registries: [] });
    await group.close();
    const profile = await member([], "bob", join(home, "profiles", "2"));
    await profile.close();
    const key = join(home, "registry", "key.json");
    const whole = readFileSync(key);
    for (const text of ["{}", "{", undefined]) {
      if (text === undefined) rmSync(key);
      else writeFileSync(key, text);
      const refused = { name: "FolderUnusable", message: /key\.json.*put a copy of it back/ };
      await assert.rejects(registry(), refused);
      assert.match(lookAtHome(home).problems.join(), /key\.json.*put a copy of it back/);
    }
    writeFileSync(key, whole);
    writeFileSync(join(home, "registry", "names.db"), "rubbish".repeat(900));
    await assert.rejects(registry(), { name: "LogDamaged", message: /names\.db.*, put a copy/ });
    const pins = join(home, "groups", "Own", "registries.json");
    writeFileSync(pins, '{"127.0.0.1:5555":7}');
    const start = () => Group.start({ name: "Own", home, registries: [] });
    await assert.rejects(start(), {
      name: "FolderUnusable",
      message: /registries\.json.*put a copy/,
    });
    rmSync(join(home, "profiles", "2", "user.db"));
    const { output } = await run("doctor", "--home", home);
    assert.match(output, /^WRONG .*registries\.json/m);
    assert.match(output, /^WRONG .*profiles.2: user\.db is missing/m);
    assert.match(output, /^WRONG .*names\.db.*put a copy/m);
    assert.match(output, /^4 of \d+ things (is|are) wrong$/m); // Lab does not run.
  }));
