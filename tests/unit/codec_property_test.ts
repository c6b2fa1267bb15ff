import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Code, CODES, Refusal } from "../../lib/errors.ts";
import {
  BadRequest,
  decodeFeed,
  decodeObject,
  decodeRequest,
  decodeSaid,
  encodeError,
  encodeOk,
  encodePush,
  encodeRequest,
} from "../../lib/protocol/codec.ts";
import { sha256, userId } from "../../lib/identity/keys.ts";
import { ACTIONS } from "../../lib/protocol/batch.ts";
import { GROUP_OPS, REGISTRY_OPS } from "../../lib/protocol/schema.ts";
import { safeLine } from "../../lib/text/filter.ts";
import { fixedKey, framesOf, midAt, NOW } from "./fixtures.ts";
import { anyText, holds, unlessRefused, wellFormed } from "./properties.ts";

const bytesOf = (part: unknown) => framesOf(part)[0];
const { publicKey, sign } = fixedKey(0);
const sig = sign("any");
const id = fc.maxSafeNat();
const count = fc.maxSafeNat();
const optional = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value).map((one) => one === null ? {} : { [name]: one });
const fields = (...parts: fc.Arbitrary<object>[]) =>
  fc.tuple(...parts).map((all): object => Object.assign({}, ...all));

const messages = fc.array(wellFormed, { minLength: 1, maxLength: 20 })
  .map((texts) => texts.map((text, i) => [midAt(NOW, i), text]));
type Request = readonly [op: string, body: object];
const request = (op: string, ...parts: fc.Arbitrary<object>[]) =>
  fields(...parts).map((body): Request => [op, body]);
const groupRequest: fc.Arbitrary<Request> = fc.oneof(
  ...["ping", "leave", "subscribe", "unsubscribe", "typing"].map((op) => request(op)),
  request("prove", fc.constant({ key: publicKey, name: "alice", sig })),
  request("send", fc.record({ messages }), optional("sig", fc.constant(sig))),
  request(
    "read",
    fc.record({ limit: fc.integer({ min: 1, max: 1_000 }), last: fc.boolean() }),
    ...["after", "before", "since", "until"].map((name) => optional(name, count)),
  ),
  request("members", fc.record({ after: fc.string({ maxLength: 80 }) })),
  request(
    "act",
    fc.record({ action: fc.constantFrom(...ACTIONS) }),
    optional("user", fc.oneof(fc.uuid(), fc.stringMatching(/^~[\x21-\x7e]{1,64}$/))),
    optional("role", fc.constantFrom("admin", "member", "reader")),
    optional("for", fc.integer({ min: 1, max: 315_576_000_000 })),
    optional("topic", fc.string({ maxLength: 256 })),
  ),
);

test("codec property: any request of the table comes back as it was", () => {
  holds(fc.tuple(id, groupRequest), ([id, [op, body]]) => {
    const decoded = decodeRequest(bytesOf(encodeRequest(id, op, body)), GROUP_OPS);
    assert.deepEqual({ ...decoded }, { ...body, id, op });
  });
});

test("codec property: a request cut anywhere is refused", () => {
  holds(fc.tuple(id, groupRequest, fc.nat()), ([id, [op, body], at]) => {
    const bytes = bytesOf(encodeRequest(id, op, body));
    const cut = bytes.subarray(0, at % bytes.length);
    assert.throws(() => decodeRequest(cut, GROUP_OPS), BadRequest);
  });
});

test("codec property: any good reply comes back as it was", () => {
  const ok = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }));
  holds(fc.tuple(id, ok), ([id, ok]) => {
    const reply = decodeSaid(bytesOf(encodeOk(id, ok)));
    assert.ok("ok" in reply);
    assert.equal(reply.id, id);
    assert.equal(JSON.stringify(reply.ok), JSON.stringify(ok));
  });
});

test("codec property: any refusal comes back with its code, its sentence in one line, and its pause", () => {
  const parts = fc.tuple(
    fc.option(id),
    fc.constantFrom(...CODES),
    fc.string({ maxLength: 1_024 }),
    fc.option(fc.nat({ max: 3_600_000 }), { nil: undefined }),
  );
  holds(parts, ([id, code, message, retryAfter]) => {
    const reply = decodeSaid(bytesOf(encodeError(id, new Refusal(code, message, { retryAfter }))));
    assert.ok("error" in reply);
    const { error } = reply;
    assert.deepEqual([reply.id, error.code, error.message], [id, code, shown(code, message)]);
    assert.equal(error.retryAfter, retryAfter);
  });
});

/** What a client shows of a refusal's sentence. */
function shown(code: Code, message: string): string {
  return message.trim() === ""
    ? `Cannot do that: the server refuses it (${code}) and does not say why`
    : safeLine(message);
}

test("codec property: any push comes back as it was", () => {
  holds(fc.nat(), (generation) => {
    const push = { push: "feed", generation, key: publicKey } as const;
    assert.deepEqual(decodeSaid(bytesOf(encodePush(push))), push);
  });
});

const wrong = fc.oneof(fc.constant(null), fc.jsonValue());
/** Any value in the place of one field, or one field less. */
const oneWrong = (good: Record<string, unknown>) =>
  fc.tuple(fc.constantFrom(...Object.keys(good)), wrong).map(([name, value]) =>
    bytesOf({ ...good, [name]: value })
  );
const batch = {
  first: 1,
  count: 1,
  at: NOW,
  kind: "message",
  author: userId(publicKey),
  name: "alice",
  key: publicKey,
  sig,
  part: { offset: 0, hashes: [sha256("")] },
  messages: [[midAt(NOW), ""]],
};
const wrongBatch = fc.tuple(fc.constantFrom(...Object.keys(batch)), wrong)
  .map(([name, value]) => ({ ...batch, [name]: value }));
const refused = { code: "busy", message: "Cannot", retry_after: 1 };
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  anyText.map(bytesOf),
  fc.json().map(bytesOf),
  oneWrong({ id: 1, op: "act", action: "ban", user: "bob" }),
  oneWrong({ id: 1, ok: {} }),
  oneWrong({ id: 1, error: refused }),
  fc.record({ code: wrong, message: wrong, retry_after: wrong }, { requiredKeys: [] })
    .map((error) => bytesOf({ id: 1, error })),
  oneWrong({ push: "feed", generation: 1, key: publicKey }),
  fc.array(wrongBatch).map((batches) => bytesOf({ epoch: batch.author, head: 1, batches })),
  fc.tuple(groupRequest, fc.nat(), fc.nat({ max: 255 })).map(([[op, body], at, byte]) => {
    const bytes = bytesOf(encodeRequest(1, op, body));
    bytes[at % bytes.length] = byte;
    return bytes;
  }),
);

test("codec property: whatever the bytes are, nothing but a refusal is thrown", () => {
  holds(anyBytes, (bytes) => {
    for (const ops of [GROUP_OPS, REGISTRY_OPS]) {
      unlessRefused(BadRequest, () => decodeRequest(bytes, ops));
    }
    unlessRefused(BadRequest, () => decodeSaid(bytes));
    unlessRefused(BadRequest, () => decodeFeed(bytes));
  });
});

test("codec property: a long text is taken or refused as the short one that says the same", () => {
  const nested = fc.tuple(
    fc.nat({ max: 10 }),
    fc.oneof(wellFormed, fc.string({ unit: fc.constantFrom(...'[{\\"'), maxLength: 30 })),
  ).map(([levels, text]) =>
    `${'{"a":['.repeat(levels)}${JSON.stringify(text)}${"]}".repeat(levels)}`
  );
  holds(fc.oneof(nested, fc.json(), anyText, fc.json().map((json) => `{"a":${json}}`)), (text) => {
    const [short, long] = ["", " ".repeat(4_096)].map((spaces) =>
      unlessRefused(BadRequest, () => decodeObject(bytesOf(spaces + text)))
    );
    assert.deepEqual(long, short);
  });
});
