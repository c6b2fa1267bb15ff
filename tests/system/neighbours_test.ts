/** Servers of the original programs, where our users look for ours: nothing is said to them. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect, Group, Registry } from "../../mod.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { closing, until } from "../support.ts";
import { lyingRegistry, recordOf } from "./imposters.ts";
import { Client, Original, skip } from "./originals.ts";
import { Folder, portOf } from "./world.ts";

const USER = "4b0c6a0e-6f0e-4a9e-8b9d-5d3c7f6b2a10";

/** What each dialect's own user asks its group. */
const JOINS: Record<string, string> = {
  "000": `JOIN ${USER}`,
  "001": JSON.stringify({ action: "add_user", user_uuid: USER }),
  "002": JSON.stringify({ action: "joinGroup", user_uuid: USER }),
  "003": JSON.stringify({ type: "join", user_uuid: USER, group_name: "Old" }),
  "004": JSON.stringify({ request_type: "join_group", user_uuid: USER }),
};

for (const [dialect, join] of Object.entries(JOINS)) {
  test(`neighbours: nothing is said to an original group of dialect ${dialect} that nobody lists`, {
    skip,
  }, () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const original = keep(await Original.start(dialect));
      const client = keep(new Client());
      assert.deepEqual(await original.got(client, join), []);
      const user = keep(await connect({ name: "alice", registries: [registry.address] }));
      await assert.rejects(user.join(original.address), {
        message: /^Cannot talk to .*: what is there does not speak zg2, so nothing was said to it/,
      });
      assert.deepEqual(await original.got(client, join), []);
      // Nor where it is taken for a registry, by a user or by a group.
      const registries = [original.address];
      const lost = keep(await connect({ name: "bob", registries }));
      await assert.rejects(lost.list(), /nothing was said to it/);
      keep(await Group.start({ name: "Lab", registries }));
      assert.deepEqual(await original.got(client, join), []);
    }));
}

test(
  "neighbours: an original group at the address of a known one hears nothing, and the group is found again",
  {
    skip,
  },
  () =>
    closing(async (keep) => {
      const folder = keep(new Folder()).path;
      const start = (address: string) =>
        Group.start({ name: "Lab", data: folder, address, unlisted: true });
      const group = await start("127.0.0.1:0");
      const { address } = group;
      const user = keep(await connect({ name: "alice", registries: [] }));
      await user.join(address);
      await group.close();
      const original = keep(await Original.start("002", address));
      const client = keep(new Client());
      assert.deepEqual(await original.got(client, JOINS["002"]), []);
      await assert.rejects(user.send("Lab", "kept", { within: 1_000 }), { name: "Unreachable" });
      await assert.rejects(user.join(address), { message: /nothing was said to it/ });
      assert.deepEqual(await original.got(client, JOINS["002"]), []);
      await original.end();
      keep(await start(address));
      // It is looked for less and less often while another is there.
      await until(
        async () => {
          const found = await Array.fromAsync(user.read("Lab")).catch(() => []);
          return found.some(({ text }) => text === "kept");
        },
        30_000,
        "what was kept is in the group",
      );
    }),
);

test("neighbours: no connection is made to a group that all registries list without a key, known before or not", () =>
  closing(async (keep) => {
    const group = await Group.start({ name: "Lab", unlisted: true });
    const { address } = group;
    const home = keep(new Folder()).path;
    await using before = await connect({ name: "alice", registries: [], home });
    await before.join(address);
    await before.close();
    await group.close();
    let came = 0;
    const listener = createServer((socket) => {
      came++;
      socket.destroy();
    });
    keep({ [Symbol.asyncDispose]: () => new Promise((done) => listener.close(() => done())) });
    await new Promise<void>((done) => listener.listen(portOf(address), "127.0.0.1", done));
    const listing = { name: "Old", address, state: "live" } as const;
    const registries = [keep(await lyingRegistry(() => listing)).address];
    for (const folder of [home, keep(new Folder()).path]) {
      const user = keep(await connect({ name: "alice", registries, home: folder }));
      for (const target of ["Old", address]) {
        await assert.rejects(user.join(target), {
          name: "UsageError",
          message: /^Cannot join "Old" at .*original programs, .*; use one of them/,
        });
      }
    }
    assert.equal(came, 0);
  }));

test("neighbours: what one registry of several says of an address keeps nobody from who is there", () =>
  closing(async (keep) => {
    const honest = keep(await Registry.start({ port: 0 }));
    const group = keep(await Group.start({ name: "Lab", unlisted: true }));
    const { address } = group;
    const record = recordOf(newSigningKey(), "Mine", address);
    for (const listing of [{ name: "Old" }, { name: "Mine", record }]) {
      const liar = keep(await lyingRegistry(() => ({ address, state: "live", ...listing })));
      const registries = [liar.address, honest.address];
      const user = keep(await connect({ name: "alice", registries }));
      assert.equal((await user.join(address)).key, group.key);
      assert.equal((await user.join(address)).key, group.key, "known by now");
    }
  }));
