import assert from "node:assert/strict";
import { test } from "node:test";
import { CODES, Refusal } from "../../lib/errors.ts";
import {
  BadRequest,
  decodeObject,
  decodeRequest,
  decodeSaid,
  encodeError,
  encodeOk,
  encodeRequest,
  isOurs,
  type Reply,
} from "../../lib/protocol/codec.ts";
import { MAX_FRAME } from "../../lib/protocol/limits.ts";
import { GROUP_OPS, REGISTRY_OPS } from "../../lib/protocol/schema.ts";
import { framesOf, midAt, NOW, randomFrom } from "./fixtures.ts";

const decodeReply = (bytes: Uint8Array) => decodeSaid(bytes) as Reply;

/** A request's or reply's bytes; what is no string or bytes goes as JSON. */
const bytesOf = (part: unknown) => framesOf(part)[0];

/** Decodes what must be refused, and gives the refusal. */
function refusal(bytes: Uint8Array): BadRequest {
  try {
    decodeRequest(bytes, GROUP_OPS);
  } catch (error) {
    if (error instanceof BadRequest) return error;
    throw error;
  }
  throw new Error(`Accepted: ${new TextDecoder().decode(bytes)}`);
}

function refuses(bytes: Uint8Array, code: string, id: number | null): void {
  const error = refusal(bytes);
  assert.deepEqual([error.code, error.id], [code, id], error.message);
}

test("codec gives back the request that was encoded", () => {
  const messages = [[midAt(NOW), "hé\n\u0000"], [midAt(NOW, 1), ""]];
  const bytes = bytesOf(encodeRequest(7, "send", { messages }));
  assert.deepEqual(decodeRequest(bytes, GROUP_OPS), { id: 7, op: "send", messages });
});

test("codec fills in what a request may leave out", () => {
  assert.deepEqual(decodeRequest(bytesOf({ id: 0, op: "read" }), GROUP_OPS), {
    id: 0,
    op: "read",
    limit: 1_000,
    last: false,
  });
  assert.deepEqual(decodeRequest(bytesOf({ id: 1, op: "list" }), REGISTRY_OPS), {
    id: 1,
    op: "list",
    prefix: "",
    after: "",
    limit: 1_000,
  });
});

test("codec knows its own messages by the first frame, which is zg2 and nothing else", () => {
  assert.equal(isOurs(framesOf("zg2", "x")), true);
  for (const magic of ["", "zg", "zg1", "ZG2", "zg2 ", "zg20", " zg2", "{}"]) {
    assert.equal(isOurs(framesOf(magic, "x")), false, magic);
  }
  assert.equal(isOurs([]), false);
});

test("codec refuses bytes that are not UTF-8", () => {
  const before = [...new TextEncoder().encode('{"id":1,"op":"ping","x":"')];
  const bad = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];
  for (const bytes of bad) {
    refuses(Uint8Array.from([...before, ...bytes, 0x22, 0x7d]), "bad_request", null);
  }
});

test("codec refuses a request cut at any byte", () => {
  const whole = bytesOf({ id: 1, op: "members", after: "é" });
  for (let end = 0; end < whole.length; end++) {
    refuses(whole.subarray(0, end), "bad_request", null);
  }
});

test("codec refuses JSON that is not one object", () => {
  const texts = ["", " ", "null", "true", "7", '"ping"', "[]", '[{"id":1}]', "{}{}", "{'id':1}"];
  for (const text of [...texts, "[".repeat(100_000), "NaN", "{,}"]) {
    refuses(bytesOf(text), "bad_request", null);
  }
  assert.match(refusal(bytesOf("[]")).message, /not an object/);
});

test("codec refuses an id that is no whole number from 0 to 2^53 - 1", () => {
  const ids = ['"1"', "null", "-1", "1.5", "9007199254740992", "1e999", "true", "[1]", "{}"];
  for (const id of ids) refuses(bytesOf(`{"id":${id},"op":"ping"}`), "bad_request", null);
  refuses(bytesOf({ op: "ping" }), "bad_request", null);
});

test("codec answers by the id when anything after it is wrong", () => {
  refuses(bytesOf({ id: 5 }), "bad_request", 5);
  for (const op of [1, null, ["ping"], { ping: 1 }]) {
    refuses(bytesOf({ id: 5, op }), "bad_request", 5);
  }
});

test("codec refuses an unknown op, also one that every object has", () => {
  const inherited = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  for (const op of ["", "Ping", "ping ", "register", "\u0000", ...inherited]) {
    refuses(bytesOf({ id: 9, op }), "unknown_op", 9);
  }
});

test("codec refuses a frame above 1 MiB and takes one of exactly 1 MiB", () => {
  const body = (bytes: number) => {
    const around = JSON.stringify({ id: 1, op: "ping", x: "" }).length;
    return bytesOf({ id: 1, op: "ping", x: "x".repeat(bytes - around) });
  };
  assert.equal(body(MAX_FRAME).length, 1_048_576);
  assert.equal(decodeRequest(body(MAX_FRAME), GROUP_OPS).op, "ping");
  refuses(body(MAX_FRAME + 1), "too_large", null);
});

test("codec ignores unknown fields", () => {
  const text = '{"id":1,"op":"join","later":{"a":[1]},' +
    '"__proto__":{"polluted":true},"constructor":1}';
  const request = decodeRequest(bytesOf(text), GROUP_OPS);
  assert.deepEqual(request, { id: 1, op: "join" });
  assert.equal("polluted" in request, false);
});

test("codec takes 8 levels of nesting and 1,024 items in one, and refuses more", () => {
  const nested = (levels: number) => `${'{"x":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
  const body = (x: string) => bytesOf(`{"id":1,"op":"ping","x":${x}}`);
  const wide = (items: number) => JSON.stringify(Array.from({ length: items }, () => 0));
  for (const x of [nested(7), wide(1_024)]) {
    assert.equal(decodeRequest(body(x), GROUP_OPS).op, "ping");
  }
  for (const x of [nested(8), nested(100_000), wide(1_025)]) refuses(body(x), "bad_request", null);
});

test("codec throws nothing but a refusal, whatever the bytes are", () => {
  const random = randomFrom(1);
  const valid = bytesOf({ id: 1, op: "send", messages: [["m", "t"]] });
  for (let i = 0; i < 2_000; i++) {
    const bytes = Uint8Array.from(valid);
    for (let n = 0; n < 3; n++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
    refusal(bytesOf(bytes));
  }
});

test("codec refusals say what was wrong and quote nothing of the request", () => {
  const { message } = refusal(bytesOf({ id: 1, op: "\u001b[31mEVIL" }));
  assert.match(message, /^Cannot .*expected one of prove, ping/);
  assert.equal(message.includes("EVIL"), false);
});

test("codec gives back the reply that was encoded", () => {
  assert.deepEqual(decodeReply(bytesOf(encodeOk(3, { head: 1 }))), { id: 3, ok: { head: 1 } });
  assert.deepEqual(decodeReply(bytesOf(encodeOk(3, '{"a":[]}'))), { id: 3, ok: { a: [] } });
});

test("codec gives back each refusal with its code, sentence and pause", () => {
  for (const code of CODES) {
    const sent = new Refusal(code, "Cannot do it: so it is", { retryAfter: 250 });
    const reply = decodeReply(bytesOf(encodeError(4, sent)));
    assert.ok("error" in reply);
    assert.deepEqual(
      [reply.id, reply.error.code, reply.error.message, reply.error.retryAfter],
      [4, code, "Cannot do it: so it is", 250],
    );
  }
});

test("codec answers with a null id where a request had none", () => {
  const json = encodeError(null, new Refusal("bad_request", "Cannot read it"));
  assert.equal(json, '{"id":null,"error":{"code":"bad_request","message":"Cannot read it"}}');
});

test("codec tells a peer nothing of a defect but that there is one", () => {
  for (const defect of [new Error("secret path"), "secret", undefined, { secret: 1 }]) {
    const json = encodeError(1, defect);
    assert.equal(JSON.parse(json).error.code, "internal");
    assert.equal(json.includes("secret"), false);
  }
});

test("codec reads a code it does not know as internal", () => {
  const reply = decodeReply(
    bytesOf({ id: 1, error: { code: "from_later", message: "m" } }),
  );
  assert.ok("error" in reply);
  assert.deepEqual([reply.error.code, reply.error.message], ["internal", "m"]);
});

test("codec refuses a reply that is neither good nor bad", () => {
  const replies = [{}, { id: 1 }, { id: "1", ok: {} }, { id: null, ok: {} }, { id: 1, ok: 1 }];
  for (const reply of [...replies, { id: 1, ok: null }, { id: 1, error: "text" }]) {
    assert.throws(() => decodeReply(bytesOf(reply)), BadRequest, JSON.stringify(reply));
  }
});

test("codec takes long texts with as many items and levels as fit, whatever the strings hold", () => {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const long = "[{,".repeat(2_000) + '\\"'.repeat(2_000);
  const lists = (n: number) => Array.from({ length: n }, () => Array<number>(1_000).fill(0));
  const nested = (levels: number): unknown => levels === 0 ? long : [nested(levels - 1)];
  assert.deepEqual(decodeObject(encode({ a: [long, long] })), { a: [long, long] });
  assert.deepEqual(decodeObject(encode({ a: nested(7) })), { a: nested(7) });
  assert.throws(() => decodeObject(encode({ a: nested(8) })), /too deep or too wide/);
  assert.ok(decodeObject(encode({ a: lists(32) })));
  assert.throws(() => decodeObject(encode({ a: lists(33) })), /too deep or too wide/);
  const op = (n: number) => encode({ id: 7, op: "ping", a: lists(n) });
  assert.equal(decodeRequest(op(4), GROUP_OPS).op, "ping");
  assert.throws(() => decodeRequest(op(5), GROUP_OPS), /too deep or too wide/);
  for (const rubbish of ["[".repeat(100_000), `{"a":${"[".repeat(50_000)}`, ",".repeat(50_000)]) {
    assert.throws(() => decodeObject(new TextEncoder().encode(rubbish)), { code: "bad_request" });
  }
});
