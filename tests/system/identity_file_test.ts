/** `export-identity` and `import-identity` as a person and a script type them. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { connect, Group, Registry } from "../../mod.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL, Terminal } from "../support/terminal.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const PASSPHRASE = "correct horse";

/** A user with a group, in a folder. */
async function exporting(keep: <T extends AsyncDisposable>(one: T) => T) {
  const folder = keep(new Folder()).path;
  const registries = [keep(await Registry.start({ port: 0 })).address];
  keep(await Group.start({ name: "Lab", registries }));
  const desk = await connect({ home: join(folder, "desk"), name: "alice", registries });
  await desk.join("Lab");
  await desk.close();
  const short = `alice#${desk.id.slice(0, 8)}`;
  return { folder, id: desk.id, short, file: join(folder, "alice.json"), registries };
}

function command(folder: string, home: string, ...args: string[]): string[] {
  return ours("user.ts", ...args, "--home", join(folder, home));
}

test("a person exports with a passphrase that nobody sees, and imports on the other machine", {
  skip: NO_TERMINAL,
}, () =>
  closing(async (keep) => {
    const { folder, file, short } = await exporting(keep);
    const out = keep(new Terminal(command(folder, "desk", "export-identity", file)));
    await out.shows("Passphrase for the file:");
    const type = async (text: string, shows: string) => {
      await out.showsNext(() => out.type(`${text}\r`), shows);
    };
    await type("short", "It cannot be used, it is shorter than 8 characters. Another one:");
    await type("wrong horse", "The same once more:");
    await type(PASSPHRASE, "The two differ. Passphrase for the file:");
    await type(`${PASSPHRASE}!\x7f`, "The same once more:");
    out.type(`${PASSPHRASE}\r`);
    assert.equal(await out.end(), 0);
    assert.match(out.text, new RegExp(`^\\* ${short} is in .*alice.json, with 1 group$`, "m"));
    assert.ok(!out.written.includes("horse"), out.written);
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);

    const wrong = keep(new Terminal(command(folder, "lap", "import-identity", file)));
    await wrong.shows("Passphrase of the file:");
    wrong.type("wrong horse\r");
    assert.equal(await wrong.end(), 1);
    assert.match(wrong.text, /FAILED: Cannot open .*: the passphrase is another one, try again/);
    assert.ok(!existsSync(join(folder, "lap", "identity.json")));

    const stopped = keep(new Terminal(command(folder, "lap", "import-identity", file)));
    await stopped.shows("Passphrase of the file:");
    stopped.press("ctrl-c");
    assert.equal(await stopped.end(), 130);

    const into = keep(new Terminal(command(folder, "lap", "import-identity", file)));
    await into.shows("Passphrase of the file:");
    into.type(`${PASSPHRASE}\r`);
    assert.equal(await into.end(), 0);
    assert.match(
      into.text,
      new RegExp(`^You are ${short}\nYou are in: Lab\nRegistries that you`, "m"),
    );
  }));

test("a script exports through a pipe; a home keeps its user unless it is told otherwise", () =>
  closing(async (keep) => {
    const { folder, file, id, short, registries } = await exporting(keep);
    const env = { ZGROUP_PASSPHRASE: PASSPHRASE };
    const run = async (home: string, args: string[], input = "", more = env) => {
      const lines: string[] = [];
      const onLine = (line: string) => void lines.push(line);
      const child = new Process(command(folder, home, ...args), { env: more, onLine });
      child.write(input);
      child.finish();
      const { code } = await child.end(30_000);
      return { code, output: lines.join("\n"), errors: child.errors };
    };
    const piped = await run("desk", ["export-identity", "-"]);
    const lap = await run("lap", ["import-identity", "-"], piped.output);
    assert.match(lap.output, new RegExp(`^You are ${short}\nYou are in: Lab\n`));

    // The passphrase may come through standard input; a file is never written over.
    const none = { ZGROUP_PASSPHRASE: "" };
    const first = await run("desk", ["export-identity", file], `${PASSPHRASE}\n`, none);
    assert.equal(first.code, 0, first.errors);
    const whole = readFileSync(file);
    const second = await run("desk", ["export-identity", file]);
    assert.deepEqual([second.code, second.output], [1, ""]);
    assert.match(second.errors, /it is there already, name another file/);
    assert.deepEqual(readFileSync(file), whole);

    // Again adds nothing; another user stays, or is set aside as a whole.
    const again = await run("lap", ["import-identity", file]);
    assert.match(again.output, /^No group is new here: 1 group joined before$/m);
    const carl = await connect({ home: join(folder, "carl"), name: "carl", registries });
    await carl.close();
    const kept = await run("carl", ["import-identity", file]);
    assert.equal(kept.code, 1);
    assert.match(
      kept.errors,
      /its user is carl#\w{8} already; import into another folder \(--home/,
    );
    const replaced = await run("carl", ["import-identity", file, "--replace", "--json"]);
    const { id: now, joined, aside } = JSON.parse(replaced.output);
    assert.deepEqual([now, joined], [id, ["Lab"]]);
    const former = JSON.parse(readFileSync(join(aside, "identity.json"), "utf8"));
    assert.deepEqual([former.name, readdirSync(aside).includes("user.db")], ["carl", true]);

    // What is wrong is said before anything is written.
    writeFileSync(join(folder, "bad"), whole.toString().replace('"sealed": "', '"sealed": "x'));
    const bad = await run("new", ["import-identity", join(folder, "bad")]);
    assert.match(bad.errors, /it is damaged \(its sum is wrong\); copy or export it again/);
    const ask = await run("new", ["import-identity", "-"], whole.toString(), none);
    assert.match(ask.errors, /standard input is the file; set \$ZGROUP_PASSPHRASE/);
    const empty = await run("new", ["export-identity", join(folder, "nothing")]);
    assert.match(empty.errors, /it has no user yet; --home DIR names another folder/);
    assert.ok(!existsSync(join(folder, "new")) && !existsSync(join(folder, "nothing")));
  }));
