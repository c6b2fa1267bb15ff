import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeGroup002,
  decodeRegistry002,
  encodeList002,
  encodeMessages002,
  FAILED,
  is002,
  isClaimed,
  REGISTERED,
  SUCCESS,
} from "../../lib/dialects/seed002.ts";
import { formatPython, parseTime } from "../../lib/text/time.ts";
import { isOurs } from "../../lib/protocol/codec.ts";
import { framesOf, NOW } from "./fixtures.ts";

const UUID = "4b0c6a0e-6f0e-4a9e-8b9d-5d3c7f6b2a10";
const group = (object: unknown) => decodeGroup002(framesOf(object), NOW);
const registry = (object: unknown) => decodeRegistry002(framesOf(object));

test("dialect 002 is one frame that is not of our own protocol", () => {
  for (const text of ['{"action":"x"}', "", "nonsense", "[1]", '{"action":', "\xff"]) {
    assert.equal(is002(framesOf(text)), true, text);
  }
  assert.equal(is002([]), false);
  assert.equal(is002(framesOf("zg2", "{}")), false);
  assert.equal(isOurs(framesOf("zg2")), true);
});

test("dialect 002 reads each request of its table", () => {
  const user = `~${UUID}`;
  assert.deepEqual(
    registry({ action: "register", group_name: "Cool Group", ip_port: "127.0.0.1:5560" }),
    {
      op: "register",
      name: "Cool Group",
      address: "127.0.0.1:5560",
    },
  );
  assert.deepEqual(registry({ action: "get_group_list", user_uuid: UUID }), { op: "list", user });
  assert.deepEqual(group({ action: "joinGroup", user_uuid: UUID }), { op: "join", user });
  assert.deepEqual(group({ action: "leaveGroup", user_uuid: UUID }), { op: "leave", user });
  assert.deepEqual(group({ action: "sendMessage", user_uuid: UUID, message: "a\nb" }), {
    op: "send",
    user,
    text: "a\nb",
  });
});

test("dialect 002 reads messages since a moment, or all", () => {
  const since = (timestamp: unknown) => {
    const request = group({ action: "getMessage", user_uuid: UUID, timestamp });
    return request?.op === "history" ? request.since : undefined;
  };
  for (const all of [null, undefined, ""]) assert.equal(since(all), 0);
  const shown = formatPython(NOW);
  assert.equal(since(shown), NOW);
  assert.equal(since(shown.slice(0, 19)), NOW - NOW % 1_000);
  assert.equal(since("10:30:00"), parseTime("10:30:00", NOW));
  assert.equal(since("1960-01-01T00:00:00"), 0);
  for (const bad of ["soon", 5, true, [], {}]) assert.equal(since(bad), undefined, String(bad));
});

test("dialect 002 escapes of Python are read as what they mean", () => {
  const text =
    `{"action": "sendMessage", "user_uuid": "${UUID}", "message": "h\\u00e9 \\ud83d\\ude00"}`;
  const request = decodeGroup002(framesOf(text), NOW);
  assert.equal(request?.op === "send" && request.text, "hé 😀");
});

test("dialect 002 gives no request for anything that is wrong", () => {
  const good = { action: "sendMessage", user_uuid: UUID, message: "hi" };
  const wrong: unknown[] = ["", "nonsense", "[]", "null", "7", '{"action":'];
  for (const field of Object.keys(good)) {
    for (const value of [undefined, null, 1, [], {}]) wrong.push({ ...good, [field]: value });
  }
  for (const user of ["", "a b", "é", "x".repeat(65), "a\n"]) {
    wrong.push({ ...good, user_uuid: user });
  }
  for (const action of ["", "__proto__", "constructor", "join_group", "register"]) {
    wrong.push({ ...good, action });
  }
  wrong.push('{"action":"sendMessage","user_uuid":"u","message":"\\ud800"}');
  wrong.push(Uint8Array.from([0x7b, 0xff, 0x7d]));
  for (const value of wrong) {
    assert.equal(decodeGroup002(framesOf(value), NOW), undefined, JSON.stringify(value));
  }
  const register = { action: "register", group_name: "G", ip_port: "127.0.0.1:1" };
  for (
    const bad of [{ group_name: "" }, { group_name: 1 }, { ip_port: "x" }, { ip_port: "x:0" }, {
      action: "go",
    }]
  ) {
    assert.equal(registry({ ...register, ...bad }), undefined, JSON.stringify(bad));
  }
});

test("dialect 002 gives a list without anybody's id, too", () => {
  assert.deepEqual(registry({ action: "get_group_list" }), { op: "list", user: "~unknown" });
});

test("dialect 002 marks a claimed id, so that it is never the id of a key", () => {
  const request = group({ action: "joinGroup", user_uuid: UUID })!;
  assert.equal(isClaimed(request.user), true);
  assert.equal(isClaimed(UUID), false);
  const twice = group({ action: "joinGroup", user_uuid: `~${UUID}` })!;
  assert.notEqual(twice.user, request.user);
});

test("dialect 002 answers are those of its table, byte for byte", () => {
  assert.equal(REGISTERED, "SUCCESS");
  assert.equal(SUCCESS, '{"response": "SUCCESS"}');
  assert.equal(FAILED, '{"response": "FAILED"}');
  assert.equal(
    encodeList002([{ name: "Café 😀", address: "127.0.0.1:5560" }]),
    '["Caf\\u00e9 \\ud83d\\ude00 - 127.0.0.1:5560"]',
  );
  assert.equal(encodeList002([]), "[]");
});

test("dialect 002 shows messages with the ids that were claimed and local time", () => {
  const list = [{ author: `~${UUID}`, text: "hé\n", at: NOW }, { author: UUID, text: "", at: 0 }];
  const json = encodeMessages002(list);
  assert.equal(/^[\x20-\x7e]*$/.test(json), true);
  assert.deepEqual(JSON.parse(json), {
    response: "SUCCESS",
    messages: [
      { user_uuid: UUID, message: "hé\n", timestamp: formatPython(NOW) },
      { user_uuid: UUID, message: "", timestamp: formatPython(0) },
    ],
  });
});
