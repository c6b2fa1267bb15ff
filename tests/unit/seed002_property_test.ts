import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  decodeGroup002,
  decodeRegistry002,
  encodeList002,
  encodeMessages002,
  isClaimed,
} from "../../lib/dialects/seed002.ts";
import { isNetworkAddress } from "../../lib/text/addresses.ts";
import { nameProblem } from "../../lib/text/names.ts";
import { formatPython } from "../../lib/text/time.ts";
import { framesOf, NOW } from "./fixtures.ts";
import { anyText, holds, wellFormed } from "./properties.ts";

const claims = fc.string({ minLength: 1, maxLength: 64 }).filter((id) => /^[!-~]+$/.test(id));
const odd = fc.oneof(anyText, fc.jsonValue(), claims, fc.constant("127.0.0.1:5560"));
/** The first nearly always, so that what it stands in gets that far. */
const mostly = (good: fc.Arbitrary<unknown>) => fc.oneof({ weight: 9, arbitrary: good }, odd);
const actions = ["register", "get_group_list", "joinGroup", "sendMessage", "getMessage"];
const frames = fc.oneof(
  fc.uint8Array(),
  anyText,
  fc.jsonValue(),
  fc.record({
    action: mostly(fc.constantFrom(...actions)),
    group_name: mostly(anyText),
    ip_port: mostly(fc.constantFrom("127.0.0.1:5560", "[::1]:1", "x:0")),
    user_uuid: mostly(claims),
    message: mostly(anyText),
    timestamp: mostly(fc.constantFrom("1960-01-01", "1960-01-01T00:00:00.5", "12:00")),
  }),
).map((part) => framesOf(part));

test("dialect 002 property: any frame is a checked request or none", () => {
  holds(frames, (frames) => {
    const asked = decodeRegistry002(frames);
    if (asked?.op === "register") {
      assert.equal(nameProblem(asked.name), undefined);
      assert.ok(isNetworkAddress(asked.address));
    } else if (asked) assert.ok(isClaimed(asked.user));
    const request = decodeGroup002(frames, NOW);
    if (!request) return;
    assert.ok(isClaimed(request.user));
    if (request.op === "send") assert.ok(request.text.isWellFormed());
    if (request.op === "history") {
      assert.ok(Number.isSafeInteger(request.since) && request.since >= 0);
    }
  });
});

test("dialect 002 property: any message is read as it was meant", () => {
  holds(fc.tuple(claims, wellFormed), ([user_uuid, message]) => {
    const request = decodeGroup002(framesOf({ action: "sendMessage", user_uuid, message }), NOW);
    assert.deepEqual(request, { op: "send", user: `~${user_uuid}`, text: message });
  });
});

test("dialect 002 property: answers are ASCII and hold what they were made of", () => {
  const entries = fc.record({ author: claims, text: anyText, at: fc.nat({ max: 4e12 }) });
  holds(fc.tuple(fc.array(entries), fc.array(anyText)), ([entries, names]) => {
    const claimed = entries.map(({ author, ...rest }) => ({ ...rest, author: `~${author}` }));
    const answer = encodeMessages002(claimed);
    const list = encodeList002(names.map((name) => ({ name, address: "h:1" })));
    for (const json of [answer, list]) assert.match(json, /^[\x20-\x7f]*$/);
    assert.deepEqual(
      JSON.parse(answer).messages,
      entries.map(({ author, text, at }) => ({
        user_uuid: author,
        message: text,
        timestamp: formatPython(at),
      })),
    );
    assert.deepEqual(JSON.parse(list), names.map((name) => `${name} - h:1`));
  });
});
