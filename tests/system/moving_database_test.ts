/** `group.ts copy`, `backup`, `verify` and `restore` with a database: its servers run meanwhile, or none. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, test } from "node:test";
import { Registry } from "../../mod.ts";
import { postgresGroups } from "../../lib/log/postgres_groups.ts";
import { copies } from "../../lib/run/open_group.ts";
import { GROUP_PROGRAM } from "../runtimes.ts";
import { closing, until } from "../support.ts";
import { Group } from "../support/inside.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { type Keep, member } from "./live_world.ts";
import { ENDS_WITHIN, Place, Talker } from "./moving_place.ts";

let cluster: Promise<PostgresCluster> | undefined;
after(async () => (await cluster)?.close());
let databases = 0;

/** A database of its own, with a place beside it. */
async function newWorld(keep: Keep) {
  const { primary, url, password } = await (cluster ??= PostgresCluster.start());
  const name = `moving_${++databases}`;
  await primary.query(`CREATE DATABASE ${name} OWNER zgroup`);
  const own = url.replace(/\/zgroup$/, `/${name}`);
  const groups = postgresGroups({ url: own, singleCopy: true });
  keep({ [Symbol.asyncDispose]: () => Promise.resolve(groups.close()) });
  return {
    place: new Place(keep),
    url: own,
    shown: own.replace(/\/\/.*@/, "//"),
    groups,
    password,
  };
}

type World = Awaited<ReturnType<typeof newWorld>>;

/** A test with a database. */
function databaseTest(
  criterion: string,
  body: (keep: Keep, world: World) => Promise<void>,
): void {
  test(
    `copy: ${criterion}`,
    { skip: availablePostgres() ?? false },
    () => closing(async (keep) => body(keep, await newWorld(keep))),
  );
}
const ONE = "--single-copy";

databaseTest("a group goes to a database and back while its members send", async (keep, world) => {
  const { place, url, shown, password } = world;
  const registry = keep(await Registry.start({ port: 0 }));
  const own = ["--registry", registry.address, "--rate", "off"];
  await place.filled("data", 50);
  const group = await place.group("data", ...own);
  const alice = keep(await member([registry.address], "alice"));
  await alice.join("Lab");
  const talker = new Talker(keep, (text) => alice.send("Lab", text, { within: 60_000 }));
  await talker.goesOn();
  // The process that runs the group knows no password.
  const to = ["--from", place.file("data"), "--to", url.replace(`:${password}@`, "@")];
  const env = { PGPASSWORD: password };
  const there = await place.run(place.startWith(env, "copy", "Lab", ...to, ONE));
  assert.equal(there.code, 0, there.output);
  assert.ok(there.output.includes(`start it with ${GROUP_PROGRAM} "Lab" HOST:PORT --log ${shown}`));
  assert.equal((await group.end(ENDS_WITHIN)).code, 1);
  assert.ok(group.output.includes(`it is kept in ${shown} now; start it`), group.output);
  const servers = [await place.serve("--log", url, ONE, ...own)];
  await talker.goesOn();
  servers.push(await place.serve("--log", url, ONE, ...own));
  const back = await place.run(place.copy(url, "back", ONE));
  assert.equal(back.code, 0, back.output);
  for (const server of servers) {
    assert.equal((await server.end(ENDS_WITHIN)).code, 1);
    assert.match(server.output, /it is kept in .*back now; start it/);
  }
  const refused = await place.run(place.start("Lab", "127.0.0.1:0", "--log", url, ONE));
  assert.equal(refused.code, 1);
  assert.match(refused.output, /it is kept in .*back now; start it/);
  const last = await place.group("back", ...own);
  await talker.goesOn();
  await talker.stop();
  const read = (await Array.fromAsync(alice.read("Lab"))).flatMap(({ text, signature }) =>
    signature === "valid" ? text! : []
  );
  assert.deepEqual(read, talker.texts);
  for (const { output } of [there, back, refused, group, last, ...servers]) {
    assert.ok(!output.includes(password), "a password is shown");
  }
});

databaseTest("its key, epoch and hash stay, and the way is free again", async (_, world) => {
  const { place, url, shown, groups } = world;
  const [data, back] = ["data", "back"].map((name) => place.file(name));
  const to = (to: string) => ({ to, singleCopy: true });
  const head = await place.filled("data", 3);
  const first = await Group.start({ name: "Lab", data, unlisted: true });
  const { key, group: { hash, state: { epoch } } } = first;
  await first.close();
  const stop = new AbortController();
  const progress = () => stop.abort(new Error("unwanted"));
  const { signal } = stop;
  await assert.rejects(copies.copy("Lab", data, to(url), { signal, progress }), /unwanted/);
  await until(async () => await groups.kept("Lab") === undefined, 10_000, "nothing is left of it");
  const moved = await copies.copy("Lab", data, to(url));
  assert.deepEqual(moved, { head, start: `${GROUP_PROGRAM} "Lab" HOST:PORT --log ${shown}` });
  await assert.rejects(copies.copy("Lab", data, to(url)), {
    name: "UsageError",
    message:
      `Cannot copy "Lab" from ${data}: it is kept in ${shown} now; start it with ${moved.start}`,
  });
  await assert.rejects(copies.copy("Lab", data, to(back)), /copy it from there, with --from/);
  await assert.rejects(
    copies.copy("Loo", url, to(back)),
    /Cannot find the group "Loo" in postgres/,
  );
  const other = { ...to(url), to: place.file("new") };
  await place.filled("another", 1);
  await assert.rejects(
    copies.copy("Lab", place.file("another"), to(url)),
    /there is a group "Lab"/,
  );
  assert.equal((await copies.copy("Lab", url, to(back))).head, head);
  assert.equal((await groups.kept("Lab"))?.moved, back);
  await assert.rejects(copies.copy("Lab", url, other), /it is kept in .*back now/);
  // What went to a place comes back from there, and from nowhere else.
  await assert.rejects(
    copies.copy("Lab", place.file("another"), to(url)),
    /the group was kept there, and went to .*back/,
  );
  assert.equal((await copies.copy("Lab", back, to(url))).head, head);
  const options = { name: "Lab", database: url, singleCopy: true, unlisted: true };
  await using last = await Group.start({ ...options, data: place.file("own") });
  assert.deepEqual([last.key, last.group.hash, last.group.state.epoch], [key, hash, epoch]);
});

databaseTest("kill -9 on the way there leaves no group there", async (_, world) => {
  const { place, url, groups } = world;
  const head = await place.filled("data", 400);
  const group = await place.group("data");
  const copy = place.copy("data", url, ONE);
  await until(async () => (await groups.kept("Lab"))?.moved, 10_000, "the copy begins");
  await group.kill();
  assert.notEqual((await place.run(copy)).code, 0, "it was killed in the middle");
  const refused = await place.run(place.start("Lab", "127.0.0.1:0", "--log", url, ONE));
  assert.equal(refused.code, 1);
  assert.match(refused.output, /it is kept in .*data now; start it/);
  const again = await place.group("data");
  const done = await place.run(place.copy("data", url, ONE));
  assert.equal(done.code, 0, done.output);
  assert.match(done.output, new RegExp(`^The group is there now, up to entry ${head},`, "m"));
  await again.end(ENDS_WITHIN);
  await place.serve("--log", url, ONE, "--unlisted");
});

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  databaseTest(`${signal} on the way back lets its servers go on`, async (keep, world) => {
    const { place, url } = world;
    const registry = keep(await Registry.start({ port: 0 }));
    await place.filled("data", 400);
    await copies.copy("Lab", place.file("data"), { to: url, singleCopy: true });
    await place.serve("--log", url, ONE, "--registry", registry.address, "--rate", "off");
    const alice = keep(await member([registry.address], "alice"));
    await alice.join("Lab");
    const talker = new Talker(keep, (text) => alice.send("Lab", text, { within: 60_000 }));
    await talker.goesOn();
    const copy = place.copy(url, "back", ONE);
    await place.begun("back");
    copy.signal(signal);
    const { code } = await place.run(copy);
    assert.equal(code, signal === "SIGINT" ? 130 : null);
    assert.equal(existsSync(place.file("back")), false);
    await talker.goesOn();
    const done = await place.run(place.copy(url, "back", ONE));
    assert.equal(done.code, 0, done.output);
    await place.group("back", "--registry", registry.address, "--rate", "off");
    await talker.goesOn();
    await talker.stop();
    const read = (await Array.fromAsync(alice.read("Lab"))).flatMap(({ text, signature }) =>
      signature === "valid" ? text! : []
    );
    assert.deepEqual(read, talker.texts);
  });
}

databaseTest(
  "a group in a database is backed up and checked beside its servers, and restored",
  async (keep, world) => {
    const { place, url } = world;
    await place.filled("data", 20);
    await copies.copy("Lab", place.file("data"), { to: url, singleCopy: true });
    const server = await place.serve("--log", url, ONE, "--unlisted");
    const [, address] = /listens on (\S+),/.exec(server.output)!;
    const alice = keep(await member([], "alice"));
    await alice.join(address);
    const { seq } = await alice.send("Lab", "before");
    const file = place.file("copy.db");
    const backup = await place.run(place.start("backup", "Lab", file, "--log", url, ONE));
    assert.equal(backup.code, 0, backup.output);
    assert.match(
      backup.output,
      new RegExp(`copy.db holds all up to entry ${seq}, and the group's key`),
    );
    for (const words of [["Lab", "--log", url, ONE], [file]]) {
      const { code, output } = await place.run(place.start("verify", ...words));
      assert.equal(code, 0, output);
      assert.match(output, new RegExp(`up to entry ${seq}`));
    }
    assert.equal((await alice.send("Lab", "undisturbed")).seq, seq + 1);
    const taken = await place.run(place.start("restore", file, "Lab", "--log", url, ONE));
    assert.equal(taken.code, 2);
    assert.match(taken.output, /there is a group "Lab" in it/);
    // Into another database, and into a folder.
    const { url: other } = await newWorld(keep);
    const restored = await place.run(place.start("restore", file, "Lab", "--log", other, ONE));
    assert.equal(restored.code, 0, restored.output);
    const wrong = await place.run(place.start("restore", file, "Loo", "--log", other, ONE));
    assert.match(wrong.output, /it holds the group "Lab"/);
    const folder = place.file("restored");
    assert.equal((await place.run(place.start("restore", file, "--data", folder))).code, 0);
    const options = { name: "Lab", unlisted: true };
    const shared = { database: other, singleCopy: true, data: place.file("own") };
    await using one = await Group.start({ ...options, ...shared });
    await using two = await Group.start({ ...options, data: folder });
    const { group: { head, hash, state: { epoch } }, key } = one;
    assert.deepEqual([head, hash, key], [seq, two.group.hash, two.key]);
    assert.notEqual(epoch, two.group.state.epoch);
    assert.deepEqual(readdirSync(place.path).filter((name) => name.includes("part")), []);
  },
);
