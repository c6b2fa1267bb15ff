import assert from "node:assert/strict";
import { test } from "node:test";
import { userId } from "../../lib/identity/keys.ts";
import { BadRequest, decodeRequest } from "../../lib/protocol/codec.ts";
import {
  DOOR_OPS,
  GROUP_OPS,
  messagesProblem,
  type Ops,
  REGISTRY_OPS,
} from "../../lib/protocol/schema.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import { fixedKey, framesOf, midAt, NOW } from "./fixtures.ts";

const key = fixedKey(0);
const id = userId(key.publicKey);
const session = "s".repeat(22);
const sig = key.sign("x");
const record = signRecord({
  id,
  name: "Lab",
  access: "open",
  address: "127.0.0.1:5560",
  live: "127.0.0.1:5561",
  door: "",
  curve: "",
  key: key.publicKey,
  nonce: "n".repeat(22),
  version: 1,
  expires: NOW,
}, key);
const CURVE = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
const messages = [[midAt(NOW), "hi"]];

/** Values that are none of: text, whole number from 0, flag, list, object of the table. */
const NOT_TEXT = [null, 1, true, [], ["a"], {}];
const NOT_COUNT = [null, "1", -1, 1.5, 2 ** 53, true, [], {}];
const NOT_ID = [...NOT_TEXT, "", "x", id.toUpperCase(), id.slice(1), `${id}0`, ` ${id}`];
const NOT_KEY = [...NOT_TEXT, "", key.publicKey.slice(1), `${key.publicKey}A`, "=".repeat(43)];
const NOT_SIG = [...NOT_TEXT, "", sig.slice(1), `${sig}A`, "+".repeat(86)];
const NOT_TOKEN = [
  ...NOT_TEXT,
  "",
  "short",
  "x".repeat(65),
  "with space in the middle",
  "é".repeat(20),
];
const NOT_NAME = [...NOT_TEXT, "", " a", "a\nb", "x".repeat(65), "127.0.0.1:1", id];
const NOT_ADDRESS = [
  ...NOT_TEXT,
  "",
  "here",
  "here:",
  "here:0",
  "here:65536",
  "tcp://here:1",
  ":1",
];
const NOT_LIMIT = [...NOT_COUNT, 0, 1_001];
const NOT_DURATION = [...NOT_COUNT, 0, 315_576_000_001];
const NOT_ROLE = [...NOT_TEXT, "", "founder", "Admin", "__proto__"];
const NOT_CURVE = [...NOT_TEXT, "x", "~".repeat(40), "a".repeat(39), "a".repeat(41)];

/** For each op: a good request, and for each field what it must not be. */
const REGISTRY_TABLE: Table = {
  ping: [{}, {}],
  register: [{ record }, { record: [...NOT_TEXT, "record"] }],
  unregister: [{ group: id, version: 1, sig }, { group: NOT_ID, version: NOT_COUNT, sig: NOT_SIG }],
  list: [
    { prefix: "L", after: "A", limit: 1, user: id },
    {
      prefix: [...NOT_TEXT, "x".repeat(129)],
      after: [...NOT_TEXT, "x".repeat(129)],
      limit: NOT_LIMIT,
      user: NOT_ID,
    },
  ],
  resolve: [{ group: "Lab" }, { group: [...NOT_TEXT, "x".repeat(261)] }],
};
const DOOR_TABLE: Table = {
  ping: [{}, {}],
  enter: [
    { key: key.publicKey, name: "alice", curve: CURVE, invite: session, sig },
    {
      key: NOT_KEY,
      name: NOT_NAME,
      curve: [...NOT_CURVE, ""],
      invite: NOT_TOKEN,
      sig: NOT_SIG,
    },
  ],
};
const GROUP_TABLE: Table = {
  hello: [{ key: key.publicKey, name: "alice" }, { key: NOT_KEY, name: NOT_NAME }],
  prove: [{ sig }, { sig: NOT_SIG }],
  ping: [{ session }, { session: NOT_TOKEN }],
  join: [{ session, curve: CURVE }, { session: NOT_TOKEN, curve: [...NOT_CURVE, ""] }],
  leave: [{ session }, { session: NOT_TOKEN }],
  send: [{ session, messages, sig }, {
    session: NOT_TOKEN,
    messages: [null, "m", 1, {}, [], [1], [[]], [messages]],
    sig: NOT_SIG,
  }],
  read: [
    { session, after: 0, before: 1, since: 0, until: 1, limit: 1, last: true },
    {
      session: NOT_TOKEN,
      after: NOT_COUNT,
      before: NOT_COUNT,
      since: NOT_COUNT,
      until: NOT_COUNT,
      limit: NOT_LIMIT,
      last: [null, "true", 1, 0, [], {}],
    },
  ],
  members: [{ session, after: id }, { session: NOT_TOKEN, after: NOT_TEXT }],
  subscribe: [{ session }, { session: NOT_TOKEN }],
  typing: [{ session }, { session: NOT_TOKEN }],
  invite: [
    { session, uses: 1_000_000, for: 1, role: "reader" },
    {
      session: NOT_TOKEN,
      uses: [...NOT_COUNT, 0, 1_000_001],
      for: NOT_DURATION,
      role: NOT_ROLE,
    },
  ],
  act: [
    { session, action: "mute", user: id, role: "admin", for: 315_576_000_000, topic: "t" },
    {
      session: NOT_TOKEN,
      action: [...NOT_TEXT, "", "join", "founded", "constructor"],
      user: [...NOT_TEXT, "x".repeat(81)],
      role: NOT_ROLE,
      for: NOT_DURATION,
      topic: [...NOT_TEXT, "x".repeat(257)],
    },
  ],
};
const RECORD_TABLE: Record<string, unknown[]> = {
  id: NOT_ID,
  name: NOT_NAME,
  access: [...NOT_TEXT, "", "closed"],
  address: NOT_ADDRESS,
  live: NOT_ADDRESS.filter((value) => value !== ""),
  door: NOT_ADDRESS.filter((value) => value !== ""),
  curve: NOT_CURVE,
  key: NOT_KEY,
  nonce: NOT_TOKEN,
  version: NOT_COUNT,
  expires: NOT_COUNT,
  sig: NOT_SIG,
};

type Table = Record<string, [good: object, wrong: Record<string, unknown[]>]>;

function refuses(ops: Ops, op: string, fields: object, field: string): void {
  assert.throws(
    () => decodeRequest(framesOf("zg1", { id: 1, op, ...fields }), ops),
    (error) => {
      assert.ok(error instanceof BadRequest);
      assert.deepEqual([error.code, error.id], ["bad_request", 1]);
      return error.message.includes(` ${field}`);
    },
    `${op} ${field}: ${JSON.stringify(fields)}`,
  );
}

for (
  const [server, ops, table] of [
    ["registry", REGISTRY_OPS, REGISTRY_TABLE],
    ["door", DOOR_OPS, DOOR_TABLE],
    ["group", GROUP_OPS, GROUP_TABLE],
  ] as [string, Ops, Table][]
) {
  test(`schema: this test knows every op of a ${server}`, () => {
    assert.deepEqual(Object.keys(table), Object.keys(ops));
  });
  for (const [op, [good, wrong]] of Object.entries(table)) {
    test(`schema takes a whole ${op} to a ${server}`, () => {
      assert.deepEqual(decodeRequest(framesOf("zg1", { id: 1, op, ...good }), ops), {
        ...good,
        id: 1,
        op,
      });
    });
    test(`schema refuses each wrong field of ${op} to a ${server}, and names it`, () => {
      assert.deepEqual(Object.keys(wrong), Object.keys(good));
      for (const [field, values] of Object.entries(wrong)) {
        for (const value of values) refuses(ops, op, { ...good, [field]: value }, field);
      }
    });
  }
}

test("schema refuses a request without each field that it must have", () => {
  const required: [Ops, string, object, string[]][] = [
    [REGISTRY_OPS, "register", {}, ["record"]],
    [REGISTRY_OPS, "unregister", { group: id, version: 1, sig }, ["group", "version", "sig"]],
    [REGISTRY_OPS, "resolve", {}, ["group"]],
    [GROUP_OPS, "hello", { key: key.publicKey, name: "alice" }, ["key", "name"]],
    [GROUP_OPS, "prove", {}, ["sig"]],
    [GROUP_OPS, "act", { session, action: "topic" }, ["session", "action"]],
    [DOOR_OPS, "enter", { key: key.publicKey, name: "a", curve: CURVE, sig }, [
      "key",
      "name",
      "curve",
      "sig",
    ]],
    [GROUP_OPS, "send", { session, messages }, ["session", "messages"]],
    ...["join", "leave", "read", "members", "subscribe", "typing", "invite"].map((
      op,
    ): [Ops, string, object, string[]] => [GROUP_OPS, op, {}, ["session"]]),
  ];
  for (const [ops, op, fields, names] of required) {
    for (const name of names) refuses(ops, op, { ...fields, [name]: undefined }, name);
  }
});

test("schema refuses each wrong or missing field of a record, and names it", () => {
  assert.deepEqual(Object.keys(RECORD_TABLE), Object.keys(record));
  for (const [field, values] of Object.entries(RECORD_TABLE)) {
    for (const value of [...values, undefined]) {
      const fields = { record: { ...record, [field]: value } };
      refuses(REGISTRY_OPS, "register", fields, `record.${field}`);
    }
  }
});

const many = (n: number) => Array.from({ length: n }, (_, i) => [midAt(NOW, i), "t"]);

test("messages: 1 to 256 of them", () => {
  assert.match(messagesProblem([])!, /1 to 256 messages, got 0/);
  assert.equal(messagesProblem(many(1)), undefined);
  assert.equal(messagesProblem(many(256)), undefined);
  assert.match(messagesProblem(many(257))!, /1 to 256 messages, got 257/);
});

test("messages: each is a pair of a mid and a text", () => {
  const wrong = [null, "m", 1, {}, [], [midAt(NOW)], [midAt(NOW), "a", "b"], [1, "a"], [null, "a"]];
  for (const message of [...wrong, [midAt(NOW), 1], [midAt(NOW), null], [midAt(NOW), ["a"]]]) {
    assert.match(messagesProblem([message])!, /^0: /, JSON.stringify(message));
  }
});

test("messages: a mid is a version 7 UUID in lower case", () => {
  const good = midAt(NOW, 1);
  const wrong = [
    good.replace("-7", "-4"), // a random one
    good.replace("-7", "-1"),
    good.replace("-8000-", "-0000-"), // another variant
    good.replace("-8000-", "-c000-"),
    good.replaceAll("-", ""),
    `${good} `,
    `{${good}}`,
    `A${good.slice(1)}`,
    "",
  ];
  for (const mid of wrong) assert.match(messagesProblem([[mid, "t"]])!, /version 7 UUID/, mid);
  assert.equal(messagesProblem([[good, "t"]]), undefined);
});

test("messages: mids grow", () => {
  const [a, b] = many(2);
  assert.match(messagesProblem([a, a])!, /^1: .*greater than the one before/);
  assert.match(messagesProblem([b, a])!, /^1: .*greater than the one before/);
});

test("messages: mids lie at most 60,000 ms apart", () => {
  const span = (ms: number) => messagesProblem([[midAt(NOW), "a"], [midAt(NOW + ms), "b"]]);
  assert.equal(span(60_000), undefined);
  assert.match(span(60_001)!, /at most 60000 ms apart/);
});

test("messages: a text has at most 65,536 bytes of UTF-8, whatever its letters take", () => {
  for (const letter of ["a", "é", "漢", "😀", "\u0000"]) {
    const bytes = new TextEncoder().encode(letter).length;
    const whole = letter.repeat(Math.floor(65_536 / bytes)) + "a".repeat(65_536 % bytes);
    assert.equal(new TextEncoder().encode(whole).length, 65_536);
    assert.equal(messagesProblem([[midAt(NOW), whole]]), undefined, letter);
    assert.match(messagesProblem([[midAt(NOW), `${whole}a`]])!, /at most 65536 bytes/, letter);
  }
});

test("messages: a text has no half of a surrogate pair", () => {
  for (const text of ["\ud800", "a\udc00", "\udc00\ud800", "😀\ud83d"]) {
    assert.match(messagesProblem([[midAt(NOW), text]])!, /valid Unicode/);
  }
  assert.equal(messagesProblem([[midAt(NOW), "😀"]]), undefined);
});

test("messages: the place of the wrong one is named", () => {
  const list = many(3);
  list[2] = [list[2][0], "\ud800"];
  assert.match(messagesProblem(list)!, /^2: /);
});
