/** The file that takes a user to another machine: what opens it, and what it refuses. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { newSigningKey, sha256 } from "../../lib/identity/keys.ts";
import {
  openIdentity,
  passphraseProblem,
  readSealed,
  sealIdentity,
} from "../../lib/protocol/identity_file.ts";
import type { IdentityFile, SealedFile } from "../../lib/protocol/kept.ts";

const KEY = "A".repeat(43);
const IDENTITY: IdentityFile = {
  name: "alice",
  named: 1_700_000_000_000,
  secretKey: newSigningKey().secretKey,
  groups: [{
    id: "0190a1b2-c3d4-7000-8000-000000000001",
    name: "Cool Group",
    address: "192.168.3.97:5560",
    servers: ["192.168.3.98:5560"],
    key: KEY,
    role: "admin",
  }],
  pins: { "192.168.3.97:5555": KEY },
};

test("an identity file is opened by its passphrase in any spelling, and by no other", async () => {
  const text = await sealIdentity(IDENTITY, "p\u00e4sswort");
  assert.ok(!text.includes("alice") && !text.includes(IDENTITY.secretKey));
  const file = readSealed(text, "id.json");
  assert.deepEqual(await openIdentity(file, "pa\u0308sswort", "id.json"), IDENTITY);
  await assert.rejects(openIdentity(file, "passwort", "id.json"), {
    name: "FolderUnusable",
    message: "Cannot open id.json: the passphrase is another one, try again",
  });
  // Who alters it and sums it up again does not pass for who sealed it.
  const other = file.sealed[0] === "A" ? "B" : "A";
  const altered = summed({ ...file, sealed: other + file.sealed.slice(1) });
  await assert.rejects(openIdentity(readSealed(altered, "f"), "p\u00e4sswort", "f"), {
    message: /the passphrase is another one/,
  });
});

test("an identity file is refused before anything is paid for it, with what to do", () => {
  const whole: SealedFile = {
    ...{ format: "zgroup identity", version: 1, cipher: "aes-256-gcm" },
    ...{ nonce: "a".repeat(16), scrypt: { n: 131_072, r: 8, p: 1, salt: "b".repeat(22) } },
    ...{ sealed: "c".repeat(100), sum: "" },
  };
  const { scrypt } = whole;
  assert.equal(readSealed(summed(whole), "f").sealed, whole.sealed);
  const damaged = /^Cannot open f: it is damaged \(.+\); copy or export it again$/;
  const costly = /^Cannot open f: it asks for more memory or less work than any /;
  const none = /^Cannot open f: it is no identity file/;
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", none],
    ["null", none],
    ["[]", none],
    ['{"secretKey":"x"}', none],
    [summed(whole).slice(0, -20), none],
    [summed(whole).replace("ccc", "cdc"), damaged],
    [summed(whole).replace('"r":8', '"r":9'), damaged],
    [summed({ ...whole, nonce: "short" }), damaged],
    [summed({ ...whole, sealed: "no base64url!" }), damaged],
    [summed({ ...whole, cipher: "none" as never }), damaged],
    [summed({ ...whole, scrypt: { ...scrypt, n: 131_072.5 } }), damaged],
    [summed({ ...whole, version: 2 }), /its format is 2, this version of zgroup knows up to 1/],
    ...[
      { n: 1_073_741_824 },
      { n: 2 },
      { n: 131_073 },
      { r: 1_000_000 },
      { p: 100 },
      { p: 0 },
    ].map((more) => [summed({ ...whole, scrypt: { ...scrypt, ...more } }), costly] as const),
  ];
  for (const [text, message] of cases) {
    assert.throws(() => readSealed(text, "f"), { name: "FolderUnusable", message }, text);
  }
});

test("a passphrase has 8 to 1,024 characters", () => {
  assert.match(passphraseProblem("1234567")!, /shorter than 8/);
  assert.match(passphraseProblem("x".repeat(1_025))!, /longer than 1024/);
  for (const good of ["12345678", "\u{1F600}".repeat(8)]) {
    assert.equal(passphraseProblem(good), undefined);
  }
});

/** The text of a file whose sum is right. */
function summed(file: SealedFile): string {
  const { format, version, cipher, nonce, scrypt: { n, r, p, salt }, sealed } = file;
  const text = [format, version, cipher, nonce, n, r, p, salt].join("\n");
  return JSON.stringify({ ...file, sum: sha256(`${text}\n${sealed}`) });
}
