/** One user on several machines: homes that hold the same identity. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect, Group, Registry, type User } from "../../mod.ts";
import { readSealed } from "../../lib/protocol/identity_file.ts";
import { exportIdentity, importIdentity } from "../../lib/run/open_identity.ts";
import { closing, until } from "../support.ts";
import { Folder } from "./world.ts";

const PASSPHRASE = "correct horse";

/** A group, and one user on two machines who is in it; the second one's folder, too. */
async function twoDevices(keep: <T extends AsyncDisposable>(one: T) => T) {
  const folder = keep(new Folder()).path;
  const registries = [keep(await Registry.start({ port: 0 })).address];
  const group = keep(await Group.start({ name: "Lab", registries, rate: 100_000 }));
  const [home, other] = [join(folder, "desk"), join(folder, "lap")];
  const desk = keep(await connect({ home, name: "alice", registries, keepLocal: 1_000 }));
  await desk.join("Lab");
  const { text } = await exportIdentity(home, () => Promise.resolve(PASSPHRASE));
  const from = { file: readSealed(text, "the file"), what: "the file" };
  const moved = await importIdentity(other, from, PASSPHRASE);
  const lap = keep(await connect({ home: other, registries, keepLocal: 1_000 }));
  const bob = keep(await connect({ name: "bob", registries }));
  await bob.join("Lab");
  return { folder, registries, group, desk, lap, bob, other, from, moved };
}

/** The texts that a user follows from the cursor on, until there are so many messages. */
async function textsOf(user: User, many: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text, author, signature } of user.follow("Lab", { after: 0 })) {
    if (text === undefined) continue;
    assert.equal(signature, "valid");
    if (author === user.id) texts.push(text);
    if (texts.length === many) break;
  }
  return texts;
}

test("two devices are one user: one member, both live, what one says is the other's own", () =>
  closing(async (keep) => {
    const { desk, lap, bob, other, from, moved } = await twoDevices(keep);
    assert.deepEqual(
      [moved.name, moved.id, moved.joined, lap.id, lap.name],
      ["alice", desk.id, ["Lab"], desk.id, "alice"],
    );
    // Again joins none twice, also while the device is in use.
    assert.deepEqual((await importIdentity(other, from, PASSPHRASE)).joined, []);
    const live = Promise.all([textsOf(desk, 2), textsOf(lap, 2)]);
    await desk.send("Lab", "from the desk");
    await lap.send("Lab", "from the lap");
    const wanted = ["from the desk", "from the lap"];
    assert.deepEqual(await live, [wanted, wanted]);
    const members = await bob.members("Lab");
    const present = members.map(({ name, present }) => `${name} ${present}`).sort();
    assert.deepEqual(present, ["alice true", "bob true"]);
    // One goes: the other is there still.
    await desk.close();
    assert.ok((await bob.members("Lab")).find(({ name }) => name === "alice")?.present);
    assert.equal((await lap.send("Lab", "still here")).duplicate, false);
  }));

test("two devices that send 2,000 each at once lose, double and refuse nothing", () =>
  closing(async (keep) => {
    const { desk, lap, bob } = await twoDevices(keep);
    const many = 2_000;
    const live = [textsOf(desk, 2 * many), textsOf(lap, 2 * many)];
    const sending = (user: User, from: string) =>
      Promise.all(
        Array.from(
          { length: many },
          (_, i) => user.send("Lab", `${from} ${i}`, { within: 60_000 }),
        ),
      );
    const receipts = (await Promise.all([sending(desk, "desk"), sending(lap, "lap")])).flat();
    assert.equal(new Set(receipts.map(({ mid }) => mid)).size, 2 * many);
    assert.equal(new Set(receipts.map(({ seq }) => seq)).size, 2 * many);
    assert.ok(receipts.every(({ duplicate }) => !duplicate));
    const log = (await Array.fromAsync(bob.read("Lab"))).flatMap(({ text }) => text ?? []);
    assert.equal(log.length, 2 * many);
    for (const from of ["desk", "lap"]) {
      const own = log.filter((text) => text.startsWith(from));
      assert.deepEqual(own, Array.from({ length: many }, (_, i) => `${from} ${i}`));
    }
    for (const texts of await Promise.all(live)) assert.deepEqual(texts, log);
  }));

test("a name that one device takes is the other's, live and after it was away; older names are not", () =>
  closing(async (keep) => {
    const { desk, lap, bob, other, registries, folder } = await twoDevices(keep);
    const told = new Promise<string>((resolve) =>
      lap.on((event) => event.type === "warning" ? resolve(event.text) : undefined)
    );
    const stop = new AbortController();
    const seen = Array.fromAsync(lap.follow("Lab", { after: 0, signal: stop.signal }));
    await desk.rename("Alice B");
    assert.match(await told, /^you are Alice B now/);
    stop.abort();
    await seen;
    assert.equal(lap.name, "Alice B");
    await lap.send("Lab", "by the lap");
    await lap.close();
    await desk.rename("Alice C");
    const back = keep(await connect({ home: other, registries }));
    assert.equal(back.name, "Alice B");
    const names = (await Array.fromAsync(back.read("Lab"))).map(({ kind, name }) =>
      `${kind} ${name}`
    );
    assert.equal(names.at(-1), "rename Alice C");
    assert.ok(names.includes("message Alice B"));
    assert.equal(back.name, "Alice C");
    // What was chosen before is read again, and is no news.
    const warnings: string[] = [];
    desk.on((event) => event.type === "warning" && warnings.push(event.text));
    assert.ok((await Array.fromAsync(desk.read("Lab"))).length > 4);
    assert.deepEqual([desk.name, warnings], ["Alice C", []]);
    const members = await bob.members("Lab");
    assert.deepEqual(members.map(({ name }) => name).sort(), ["Alice C", "bob"]);
    // Who is on one machine alone believes no group that says so.
    const home = join(folder, "alone");
    const carl = await connect({ home, name: "carl", registries });
    await carl.join("Lab");
    await carl.rename("Carl");
    await carl.close();
    const file = join(home, "identity.json");
    writeFileSync(
      file,
      JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), name: "Karl", named: 1 }),
    );
    const again = keep(await connect({ home, registries }));
    await Array.fromAsync(again.read("Lab"));
    assert.equal(again.name, "Karl");
  }));

test("leaving on one device is leaving on both", () =>
  closing(async (keep) => {
    const { desk, lap, bob } = await twoDevices(keep);
    const ended = textsOf(lap, 2).catch((error: { code?: string }) => error.code);
    await lap.send("Lab", "one");
    assert.ok((await Array.fromAsync(desk.read("Lab"))).length > 0);
    await desk.leave("Lab");
    assert.equal(await ended, "not_member");
    assert.deepEqual(lap.joined(), []);
    // What was read is forgotten where one left, and stays where one was.
    const kept = async (user: User) => (await Array.fromAsync(user.kept("Lab"))).length > 0;
    assert.deepEqual([await kept(desk), await kept(lap)], [false, true]);
    await until(async () => (await bob.members("Lab")).length === 1, 5_000, "bob alone");
    await lap.join("Lab");
    assert.deepEqual(desk.joined(), []);
  }));
