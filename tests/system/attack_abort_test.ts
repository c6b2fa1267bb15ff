/** One connection of 2.5 KB that ends libzmq, at every port and from both sides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { strikeClient, strikeServer } from "./attack_abort.ts";
import { tcpServer } from "./attack_wire.ts";
import { Chatter, Counts, processWorld, program, row, sized, times } from "./attack_world.ts";
import { ours, Process } from "./processes.ts";
import { bare, Folder } from "./world.ts";

const AT_ONCE = 8;

test("attack: the connection that ends libzmq ends no registry and no group", async () => {
  await closing(async (keep) => {
    const home = keep(new Folder()).path;
    const own = keep(new Folder()).path;
    const registry = await program(keep, "registry.ts", ["--port", "0", "--home", own, "--quiet"]);
    const place = ["--registry", registry.address, "--quiet"];
    const address = "127.0.0.1:0";
    const group = await program(keep, "group.ts", ["Lab", address, "--home", home, ...place]);
    const plain = await program(
      keep,
      "group.ts",
      ["Old", address, "--plain", "--memory", "--home", own, ...place],
    );
    const chatter = await Chatter.in(keep, [registry.address]);
    const total = sized(50, 1_000);
    const servers = { registry, group, "group --plain": plain };
    for (const [what, server] of Object.entries(servers)) {
      const heard = chatter.count;
      let struck = 0;
      await times(total, AT_ONCE, async () => {
        if (await strikeServer(bare(server.address))) struck++;
      });
      await chatter.hears(5);
      row(`what ends libzmq, at the ${what}`, { struck, heard: chatter.count - heard });
      assert.equal(struck, total);
    }
    await using user = await connect({ name: "late", registries: [registry.address] });
    assert.deepEqual((await user.list()).map(({ name }) => name), ["Lab", "Old"]);
    for (const name of ["Lab", "Old"]) assert.ok((await user.join(name)).name === name);
    assert.equal(chatter.lost, 0);
    for (const { process } of Object.values(servers)) {
      assert.doesNotMatch(process.output, /failed/i);
    }
  });
});

test("attack: a server that ends clients over libzmq ends none of ours", async () => {
  await closing(async (keep) => {
    let struck = 0;
    const hostile = keep(
      await tcpServer(async (tcp) => {
        if (await strikeClient(tcp)) struck++;
      }),
    );
    // That it does what it should is seen at a user over libzmq.
    const list = (transport: string) => {
      const place = ["--registry", hostile.address, "--home", keep(new Folder()).path];
      const user = keep(new Process(ours("user.ts", "list", ...place, "--transport", transport)));
      user.finish();
      return user;
    };
    const [libzmq, zmtp] = [list("libzmq"), list("zmtp")];
    assert.equal((await libzmq.end(30_000)).signal, "SIGABRT", libzmq.output);
    assert.deepEqual(await zmtp.end(30_000), { code: 1, signal: null }, zmtp.output);
    assert.match(zmtp.output, /FAILED: Cannot reach the registry/);

    const { registries } = await processWorld(keep, keep(new Folder()).path);
    const chatter = await Chatter.in(keep, registries);
    const users = await Promise.all(
      Array.from(
        { length: 16 },
        async () => keep(await connect({ registries: [hostile.address] })),
      ),
    );
    const told = new Counts();
    struck = 0;
    const total = sized(50, 1_000);
    const until = async (user: typeof users[number]) => {
      while (struck < total) {
        const asked = [user.join(hostile.address), user.list()];
        for (const { reason } of await Promise.allSettled(asked) as { reason?: Error }[]) {
          told.add(reason?.name ?? "ok");
        }
      }
    };
    await Promise.all(users.map(until));
    row("what ends libzmq, at users", { struck, ...told.all, heard: chatter.count });
    assert.deepEqual(Object.keys(told.all), ["Unreachable"]);
    await chatter.hears(5);
    assert.equal(chatter.lost, 0);
  });
});
