/** Where a registry tries to connect because a group registered: at who asks, and nowhere else. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { groupId } from "../../lib/identity/keys.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import { OPERATIONS } from "../../lib/registry/operations.ts";
import { RegistryState } from "../../lib/registry/state.ts";
import { fixedKey, NOW } from "./fixtures.ts";

const key = fixedKey(0);
const nonce = "n".repeat(22);

/** A record of a group that says it is there. */
function recordAt(address: string) {
  const id = groupId(key.publicKey, "Lab", nonce);
  const times = { version: NOW, expires: NOW + 3_600_000 };
  const said = { name: "Lab", access: "open", address, nonce } as const;
  return signRecord({ id, key: key.publicKey, ...said, ...times }, key);
}

/** What comes of a registration from an IP, and of its renewal once it was tried. */
function registered(address: string, ip: string, reached?: boolean) {
  const state = new RegistryState();
  const record = recordAt(address);
  const ask = () =>
    OPERATIONS.register.answer(
      state,
      { op: "register", record, plain: false, ip },
      { clock: NOW, date: NOW },
    );
  const first = ask();
  if (reached !== undefined) state.reached(record, reached);
  return { ...first, again: ask() };
}

const TRIED: readonly (readonly [address: string, ip: string, tried: string | undefined])[] = [
  ["192.168.3.98:5560", "192.168.3.98", "192.168.3.98:5560"],
  ["192.168.3.98:5560", "::ffff:192.168.3.98", "192.168.3.98:5560"],
  ["[fd00::2]:5560", "fd00::2", "[fd00::2]:5560"],
  // A name is not looked up: it is the port of who asks.
  ["lab.example:5560", "192.168.3.98", "192.168.3.98:5560"],
  ["192.168.3.7:22", "192.168.3.98", undefined],
  ["127.0.0.1:5560", "192.168.3.98", undefined],
  ["127.0.0.1:5560", "127.0.0.1", undefined],
  ["lab.example:5560", "127.0.0.1", undefined],
  ["192.168.3.98:5560", "", undefined],
];

test("a registry tries no connection but to who asks, once for a lease", () => {
  for (const [address, ip, tried] of TRIED) {
    const { place, again } = registered(address, ip);
    assert.equal(place?.address, tried, `${address} from ${ip}`);
    assert.equal(again.place, undefined);
  }
});

test("a group hears of itself from its registry: the IP it asks from, and what the try came to", () => {
  const { reply, again } = registered("192.168.3.98:5560", "192.168.3.98", false);
  assert.deepEqual(reply, { from: "192.168.3.98" });
  assert.deepEqual(again.reply, { from: "192.168.3.98", reached: false });
});

test("a group at its own machine's address alone is warned of, with what it should be started as", () => {
  const { warning } = registered("127.0.0.1:5560", "192.168.3.98");
  assert.match(
    warning!("192.168.3.97:5555"),
    /^Others cannot reach Lab: .* (group\.ts|zgroup group) Lab 192\.168\.3\.98:5560 --registry 192\.168\.3\.97:5555$/,
  );
  assert.equal(registered("127.0.0.1:5560", "127.0.0.1").warning, undefined);
});
