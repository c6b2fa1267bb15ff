/** Closing when a part of it fails: the rest is closed all the same, and the error is told. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { GroupServer } from "../../lib/group/server.ts";
import { groupId, newSigningKey } from "../../lib/identity/keys.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { RegistryServer } from "../../lib/registry/server.ts";
import { sqliteNames } from "../../lib/store/sqlite_name_store.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { everyStep } from "../../lib/structures/closing.ts";
import { closing } from "../support.ts";
import { Folder, portOf } from "./world.ts";

const FAILED = new Error("Cannot close the socket: the system says no");

/** An engine whose servers close, and then say that they could not. */
function failing(): Transport {
  const real = zmtpTransport();
  return {
    name: real.name,
    watchful: real.watchful,
    connect: (options) => real.connect(options),
    async serve(options) {
      const server = await real.serve(options);
      const close = async () => {
        await server.close();
        throw FAILED;
      };
      return new Proxy(server, {
        get(target, name) {
          if (name === "close") return close;
          const value = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

/** Resolves when a port can be taken, and leaves it again. */
async function isFree(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
  await once(server, "close");
}

/** What is said, and where it is kept. */
function logger(): { said: string[]; info(text: string): void; warn(text: string): void } {
  const said: string[] = [];
  return { said, info: () => {}, warn: (text) => void said.push(text) };
}

test("closing: a group whose socket does not close is stopped all the same, with its log closed", () =>
  closing(async (keep) => {
    const folder = keep(new Folder()).path;
    const key = newSigningKey();
    const log = logger();
    const group = await GroupServer.start({
      transport: failing(),
      address: "127.0.0.1:0",
      log: sqliteLog(folder),
      identity: {
        id: groupId(key.publicKey, "Lab", "nonce-of-sixteen"),
        name: "Lab",
        key: key.publicKey,
        nonce: "nonce-of-sixteen",
        founder: "",
        access: "open",
      },
      key,
      pins: new Map(),
      logger: log,
    });
    await group.close();
    assert.equal(await group.stopped, FAILED);
    assert.deepEqual(log.said, [`Closing: ${FAILED.message}`]);
    await isFree(portOf(group.address));
    const again = sqliteLog(folder); // Refused while another has it open.
    await again.open();
    await again.close();
  }));

test("closing: a registry whose socket does not close is stopped all the same, with its names closed", () =>
  closing(async (keep) => {
    const folder = keep(new Folder()).path;
    const log = logger();
    const registry = await RegistryServer.start({
      transport: failing(),
      address: "127.0.0.1:0",
      key: newSigningKey(),
      names: sqliteNames(folder),
      logger: log,
    });
    await registry.close();
    assert.equal(await registry.stopped, FAILED);
    assert.deepEqual(log.said, [`Closing: ${FAILED.message}`]);
    sqliteNames(folder).close(); // Refused while another has them open.
  }));

test("closing: each step is taken, in order, whatever fails", async () => {
  const taken: string[] = [];
  const failed = await everyStep(
    () => taken.push("one"),
    () => Promise.reject(FAILED),
    () => {
      taken.push("three");
      throw "no error";
    },
    () => Promise.resolve().then(() => taken.push("four")),
  );
  assert.deepEqual(taken, ["one", "three", "four"]);
  assert.deepEqual(failed.map(({ message }) => message), [FAILED.message, "no error"]);
});
