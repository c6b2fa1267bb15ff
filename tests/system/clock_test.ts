/** A group whose clock is wrong by a day is listed all the same. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer } from "../../lib/group/announcer.ts";
import { groupId, newSigningKey } from "../../lib/identity/keys.ts";
import { splitRegistry } from "../../lib/text/addresses.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { connect, Registry } from "../../mod.ts";
import { closing, until } from "../support.ts";

const DAY = 86_400_000;

for (const [when, ahead] of [["behind", -DAY], ["ahead", DAY]] as const) {
  test(`a registry lists a group whose clock is a day ${when}`, () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const { address } = registry;
      const key = newSigningKey();
      const name = "Sundial";
      const nonce = "0123456789abcdef";
      const announcer = new Announcer({
        announcement: {
          id: groupId(key.publicKey, name, nonce),
          name,
          access: "open",
          address: "127.0.0.1:1",
          key: key.publicKey,
          nonce,
        },
        key,
        registries: [splitRegistry(address)!],
        transport: zmtpTransport(),
        pins: new Map<string, string>(),
        now: () => Date.now() + ahead,
        info() {},
        warn() {},
      });
      keep({ [Symbol.asyncDispose]: () => announcer.close() });
      await announcer.start();
      const user = keep(await connect({ registries: [address] }));
      const listed = () => user.list().then((groups) => groups.length === 1);
      assert.ok(await until(listed, 10_000, "the group is listed"));
    }));
}
