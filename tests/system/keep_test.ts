/** `--keep` and `--keep-for`: what a group drops, when, and that a full disk neither ends nor stops it. */

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { GroupServer } from "../../lib/group/server.ts";
import { groupId, newSigningKey } from "../../lib/identity/keys.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { connect, type User } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { Group } from "../support/inside.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** The first and the last seq that a member can read. */
async function range(user: User): Promise<[first: number, last: number]> {
  const entries = await Array.fromAsync(user.read("Lab"));
  return [entries[0].seq, entries.at(-1)!.seq];
}

test("a group keeps the newest entries, and those of some time, from its start on", () =>
  closing(async (keep) => {
    const data = keep(new Folder()).path;
    const user = keep(await connect({ registries: [] }));
    const start = (limits: object) =>
      Group.start({ name: "Lab", data, unlisted: true, registries: [], ...limits });
    const first = await start({ keep: 5 });
    await user.join(first.address);
    for (let i = 1; i <= 20; i++) await user.send("Lab", `message ${i}`);
    assert.deepEqual(await range(user), [1, 22]);
    await first.group.prune();
    assert.deepEqual(await range(user), [18, 22]);
    assert.equal(first.group.log.tail, 18);
    await first.close();

    const second = await start({ keepFor: 3_600_000 });
    assert.deepEqual(await range(user), [18, 22]);
    await second.close();
    const third = keep(await start({ keepFor: 1 }));
    assert.deepEqual(await range(user), [22, 22]);
    const { seq } = await user.send("Lab", "one more");
    assert.deepEqual([seq, third.group.log.tail], [23, 22]);
  }));

test("a group program takes --keep and --keep-for", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const user = keep(await connect({ registries: [] }));
    const run = async (...limits: string[]) => {
      const place = ["--home", home, "--unlisted"];
      const started = keep(
        new Process(ours("group.ts", "Lab", "127.0.0.1:0", ...place, ...limits)),
      );
      const [, address] = /listens on ([^,]+)/.exec(await started.line(/listens on/))!;
      return { started, address };
    };
    const first = await run();
    await user.join(first.address);
    for (let i = 1; i <= 5; i++) await user.send("Lab", `message ${i}`);
    await first.started.stop();
    const second = await run("--keep", "3");
    assert.deepEqual(await range(user), [5, 7]);
    await second.started.stop();
    const third = await run("--keep-for", "1s");
    await user.send("Lab", "the newest stays");
    await third.started.stop();
    await run("--keep", "1");
    assert.deepEqual(await range(user), [8, 8]);
  }));

test("room that a full log gives back by dropping is used again", () =>
  closing(async (keep) => {
    const data = keep(new Folder()).path;
    const key = newSigningKey();
    const nonce = "0123456789abcdef";
    const identity = {
      id: groupId(key.publicKey, "Lab", nonce),
      name: "Lab",
      key: key.publicKey,
      nonce,
      founder: "",
      access: "open" as const,
    };
    const full = Promise.withResolvers<void>();
    const server = keep(
      await GroupServer.start({
        transport: zmtpTransport(),
        address: "127.0.0.1:0",
        log: sqliteLog(data, { maxBytes: 300_000 }),
        identity,
        key,
        pins: new Map(),
        keep: { entries: 10 },
        logger: { info() {}, warn: (text) => /is full/.test(text) && full.resolve() },
      }),
    );
    const user = keep(await connect({ registries: [] }));
    await user.join(server.address);
    let acknowledged = 0;
    const text = "x".repeat(8_000);
    const sent = (async () => {
      for (; acknowledged < 100; acknowledged++) await user.send("Lab", text, { within: Infinity });
    })();
    await full.promise;
    assert.ok(acknowledged < 50, `${acknowledged}`);
    const dropped = async () => {
      await server.group.prune();
      return acknowledged === 100;
    };
    await until(dropped, 20_000, "all to be acknowledged");
    await sent;
    assert.ok(statSync(join(data, "log.db")).size <= 300_000);
  }));
