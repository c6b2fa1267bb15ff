import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { groupId } from "../../lib/identity/keys.ts";
import { encodeInvite, type Invite, parseInvite } from "../../lib/protocol/invite.ts";
import { formatAddress } from "../../lib/text/addresses.ts";
import { nameProblem } from "../../lib/text/names.ts";
import { fixedKey } from "./fixtures.ts";
import { anyText, holds } from "./properties.ts";

const key = fixedKey(0);
const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .map((text) => text.normalize("NFC"))
  .filter((name) => nameProblem(name) === undefined);
const tokens = fc.string({
  unit: fc.constantFrom(..."azAZ09_-"),
  minLength: 16,
  maxLength: 64,
});
const addresses = fc.tuple(
  fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
  fc.integer({ min: 1, max: 65_535 }),
).map(([host, port]) => formatAddress({ host, port }));

const invites = fc.record({
  name: names,
  address: addresses,
  nonce: tokens,
  token: tokens,
  until: fc.maxSafeNat(),
  registry: fc.oneof(fc.constant(""), addresses.map((at) => `${at}#${key.publicKey}`)),
}).map(({ nonce, ...said }): Invite => ({
  ...said,
  id: groupId(key.publicKey, said.name, nonce),
  key: "",
}));

test("invite property: any invite is read back as it was", () => {
  holds(invites, (invite) => assert.deepEqual(parseInvite(encodeInvite(invite)), invite));
});

test("invite property: no shell takes a part of a link for itself", () => {
  holds(invites, (invite) => assert.match(encodeInvite(invite), /^zgroup:\/\/[A-Za-z0-9:/._%-]+$/));
});

test("invite property: whatever is done to its text, it says what it did, or nothing", () => {
  holds(fc.tuple(invites, fc.nat(), fc.nat({ max: 4 }), anyText), ([invite, at, gone, text]) => {
    const whole = encodeInvite(invite);
    const place = at % (whole.length + 1);
    const read = parseInvite(whole.slice(0, place) + text + whole.slice(place + gone));
    if (read) assert.deepEqual(read, invite);
  });
});

test("invite property: any text is read as an invite or as none", () => {
  const queries = fc.webQueryParameters();
  const texts = fc.tuple(addresses, anyText, queries).map(([address, name, query]) =>
    `zgroup://${address}/${name}?${query}`
  );
  holds(fc.oneof(anyText, texts), (text) => assert.equal(parseInvite(text), undefined));
});
