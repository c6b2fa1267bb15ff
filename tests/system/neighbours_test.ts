/** Servers of the original programs, where our users look for ours: nothing is said to them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, Group, Registry } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { Client, Original, script, skip } from "./originals.ts";
import { bare, Folder } from "./world.ts";

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
      await until(
        async () => {
          const texts = (await Array.fromAsync(user.read("Lab"))).map(({ text }) => text);
          return texts.includes("kept");
        },
        20_000,
        "what was kept is in the group",
      );
    }),
);
