import assert from "node:assert/strict";
import { test } from "node:test";
import { userId } from "../../lib/identity/keys.ts";
import {
  BadRequest,
  checkReply,
  decodeFeed,
  decodeRequest,
  decodeSaid,
} from "../../lib/protocol/codec.ts";
import {
  FEED,
  GROUP_OPS,
  GROUP_REPLIES,
  messagesProblem,
  type Ops,
  REGISTRY_OPS,
  REGISTRY_REPLIES,
} from "../../lib/protocol/schema.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import { fixedKey, framesOf, midAt, NOW } from "./fixtures.ts";

const key = fixedKey(0);
const id = userId(key.publicKey);
const token = "s".repeat(22);
const sig = key.sign("x");
const record = signRecord({
  id,
  name: "Lab",
  access: "open",
  address: "127.0.0.1:5560",
  key: key.publicKey,
  nonce: "n".repeat(22),
  version: 1,
  expires: NOW,
}, key);
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
const NOT_BOOLEAN = [null, "true", 1, 0, [], {}];
const NOT_LIMIT = [...NOT_COUNT, 0, 1_001];
const NOT_DURATION = [...NOT_COUNT, 0, 315_576_000_001];
const NOT_ROLE = [...NOT_TEXT, "", "founder", "Admin", "__proto__"];

/** For each op: a good request, and for each field what it must not be. */
const REGISTRY_TABLE: Table = {
  ping: [{}, {}],
  register: [
    { record, plain: true },
    { record: [...NOT_TEXT, "record"], plain: NOT_BOOLEAN },
  ],
  unregister: [{ group: id, version: 1, sig }, { group: NOT_ID, version: NOT_COUNT, sig: NOT_SIG }],
  list: [
    { prefix: "L", after: "A", limit: 1 },
    {
      prefix: [...NOT_TEXT, "x".repeat(129)],
      after: [...NOT_TEXT, "x".repeat(129)],
      limit: NOT_LIMIT,
    },
  ],
  resolve: [{ group: "Lab" }, { group: [...NOT_TEXT, "x".repeat(261)] }],
};
const INVITE = "a".repeat(64);
const GROUP_TABLE: Table = {
  prove: [{ key: key.publicKey, name: "alice", sig }, {
    key: NOT_KEY,
    name: NOT_NAME,
    sig: NOT_SIG,
  }],
  ping: [{}, {}],
  join: [{ invite: token }, { invite: NOT_TOKEN }],
  leave: [{}, {}],
  send: [{ messages, sig }, {
    messages: [null, "m", 1, {}, [], [1], [[]], [messages]],
    sig: NOT_SIG,
  }],
  read: [
    { after: 0, before: 1, since: 0, until: 1, limit: 1, last: true },
    {
      after: NOT_COUNT,
      before: NOT_COUNT,
      since: NOT_COUNT,
      until: NOT_COUNT,
      limit: NOT_LIMIT,
      last: NOT_BOOLEAN,
    },
  ],
  members: [{ after: id }, { after: NOT_TEXT }],
  subscribe: [{}, {}],
  unsubscribe: [{}, {}],
  typing: [{}, {}],
  invite: [
    { uses: 1_000_000, for: 1, role: "reader" },
    { uses: [...NOT_COUNT, 0, 1_000_001], for: NOT_DURATION, role: NOT_ROLE },
  ],
  invites: [{ after: "" }, { after: NOT_TEXT }],
  revoke: [{ invite: INVITE }, { invite: [...NOT_TEXT, "", "none", "A".repeat(64)] }],
  act: [
    { action: "mute", user: id, role: "admin", for: 315_576_000_000, topic: "t" },
    {
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
  key: NOT_KEY,
  nonce: NOT_TOKEN,
  version: NOT_COUNT,
  expires: NOT_COUNT,
  sig: NOT_SIG,
};

const bytesOf = (value: unknown) => framesOf(value)[0];

type Table = Record<string, [good: object, wrong: Record<string, unknown[]>]>;

function refuses(ops: Ops, op: string, fields: object, field: string): void {
  assert.throws(
    () => decodeRequest(bytesOf({ id: 1, op, ...fields }), ops),
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
    ["group", GROUP_OPS, GROUP_TABLE],
  ] as [string, Ops, Table][]
) {
  test(`schema: this test knows every op of a ${server}`, () => {
    assert.deepEqual(Object.keys(table), Object.keys(ops));
  });
  for (const [op, [good, wrong]] of Object.entries(table)) {
    test(`schema takes a whole ${op} to a ${server}`, () => {
      assert.deepEqual(decodeRequest(bytesOf({ id: 1, op, ...good }), ops), {
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
    [GROUP_OPS, "prove", { key: key.publicKey, name: "alice", sig }, ["key", "name", "sig"]],
    [GROUP_OPS, "act", { action: "topic" }, ["action"]],
    [GROUP_OPS, "send", { messages }, ["messages"]],
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

const listing = { name: "Lab", address: "127.0.0.1:5560", state: "live", record };
const place = { epoch: id, head: 1 };
const feedKey = key.publicKey;
const batch = { first: 1, count: 1, at: NOW, kind: "leave", author: id, name: "alice" };
const NOT_LIST = [null, 1, "a", {}, [1], [null], ["a"]];
const NOT_LISTING = [null, {}, { ...listing, state: "dead" }, { ...listing, record: {} }];
const NOT_BATCHES = [...NOT_LIST, [{}], [{ ...batch, first: 0 }], [{ ...batch, count: 257 }]];

/** For each op: a good reply, and for each field what it must not be. */
const REGISTRY_ANSWERS: Table = {
  ping: [{ at: NOW }, { at: NOT_COUNT }],
  register: [{}, {}],
  unregister: [{}, {}],
  list: [{ groups: [listing], more: false }, {
    groups: [...NOT_LIST, ...NOT_LISTING.map((one) => [one])],
    more: [null, 1, "true"],
  }],
  resolve: [{ group: listing }, { group: [...NOT_TEXT, ...NOT_LISTING] }],
};
const GROUP_ANSWERS: Table = {
  prove: [{ user: id, role: null, ...place, at: NOW, ticket: "t".repeat(70) }, {
    user: NOT_ID,
    role: ["", "king", 1],
    epoch: NOT_ID,
    head: NOT_COUNT,
    at: NOT_COUNT,
    ticket: [...NOT_TEXT, "", "t".repeat(69)],
  }],
  ping: [{ ...place, hash: feedKey, at: NOW }, {
    epoch: NOT_ID,
    head: NOT_COUNT,
    hash: NOT_KEY,
    at: NOT_COUNT,
  }],
  join: [{ ...place, role: "member" }, {
    epoch: NOT_ID,
    head: NOT_COUNT,
    role: [null, "", "king"],
  }],
  leave: [{}, {}],
  send: [{ epoch: id, accepted: [{ from: 1, count: 256, at: NOW, duplicate: true }] }, {
    epoch: NOT_ID,
    accepted: [...NOT_LIST, [{ from: 1, count: 0, at: NOW }], [{ from: -1, count: 1, at: NOW }]],
  }],
  read: [{ ...place, tail: 1, more: true, batches: [batch] }, {
    epoch: NOT_ID,
    head: NOT_COUNT,
    tail: NOT_COUNT,
    more: [null, 1],
    batches: NOT_BATCHES,
  }],
  members: [
    {
      members: [{ user: id, name: "alice", role: "founder", present: true }],
      more: false,
      topic: "",
      banned: [{ user: id, name: "bob" }],
    },
    {
      members: [...NOT_LIST, [{}], [{ user: id, name: "alice", role: "king", present: true }]],
      more: [null, 1],
      topic: [...NOT_TEXT, "x".repeat(257)],
      banned: [...NOT_LIST, [{}]],
    },
  ],
  subscribe: [{ ...place, generation: 1, key: feedKey }, {
    epoch: NOT_ID,
    head: NOT_COUNT,
    generation: NOT_COUNT,
    key: NOT_KEY,
  }],
  unsubscribe: [{}, {}],
  typing: [{}, {}],
  invite: [{ token, expires: NOW, record }, {
    token: NOT_TOKEN,
    expires: NOT_COUNT,
    record: [...NOT_TEXT, { ...record, sig: "" }],
  }],
  invites: [
    {
      invites: [{ id: INVITE, by: id, name: "alice", role: "reader", uses: 1, expires: NOW }],
      more: false,
    },
    { invites: [...NOT_LIST, [{}], [{ id: INVITE, by: id, name: "alice" }]], more: [null, 1] },
  ],
  revoke: [{ revoked: 1 }, { revoked: NOT_COUNT }],
  act: [{ seq: 1 }, { seq: NOT_COUNT }],
};

for (
  const [server, replies, table] of [
    ["registry", REGISTRY_REPLIES, REGISTRY_ANSWERS],
    ["group", GROUP_REPLIES, GROUP_ANSWERS],
  ] as [string, Ops, Table][]
) {
  test(`schema: this test knows every reply of a ${server}, and each op has one`, () => {
    assert.deepEqual(Object.keys(table), Object.keys(replies));
    assert.deepEqual(
      Object.keys(replies),
      Object.keys(server === "group" ? GROUP_OPS : REGISTRY_OPS),
    );
  });
  for (const [op, [good, wrong]] of Object.entries(table)) {
    test(`schema refuses each wrong field of the reply to ${op} of a ${server}`, () => {
      assert.deepEqual(Object.keys(wrong), Object.keys(good));
      assert.deepEqual(checkReply(replies[op], { ...good, later: 1 }), good);
      for (const [field, values] of Object.entries(wrong)) {
        for (const value of values) {
          const ok = { ...good, [field]: value };
          assert.throws(() => checkReply(replies[op], ok), BadRequest, JSON.stringify(ok));
        }
      }
    });
  }
}

test("schema refuses each wrong field of a feed frame and of a push", () => {
  const frame = { epoch: id, head: 1, from: 1, batches: [batch], typing: { user: id, name: "a" } };
  assert.deepEqual(decodeFeed(bytesOf({ ...frame, later: 1 })), frame);
  assert.deepEqual(Object.keys(frame).sort(), Object.keys(FEED.entries).sort());
  const wrong = {
    epoch: [...NOT_ID, undefined],
    head: NOT_COUNT,
    from: NOT_COUNT,
    batches: NOT_BATCHES,
    typing: [null, 1, "a", [], {}, { user: id }, { user: id, name: "x".repeat(257) }],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      assert.throws(() => decodeFeed(bytesOf({ ...frame, [field]: value })), BadRequest, field);
    }
  }
  const push = { push: "feed", generation: 1, key: feedKey };
  assert.deepEqual(decodeSaid(bytesOf({ ...push, later: 1 })), push);
  const bad = [
    ...NOT_KEY.map((key) => ({ ...push, key })),
    ...NOT_COUNT.map((generation) => ({ ...push, generation })),
    ...["", "later", null, 1].map((name) => ({ ...push, push: name })),
  ];
  for (const one of bad) assert.throws(() => decodeSaid(bytesOf(one)), BadRequest);
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
