/** What the servers of one group tell each other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hear, News, Servers, Telling } from "../../lib/group/servers.ts";
import { LIVE_BYTES, MAX_SERVERS } from "../../lib/protocol/limits.ts";
import { MAX_MEET } from "../../lib/protocol/schema.ts";

test("servers: whoever comes and goes, the other side hears it in the end", () => {
  const users = fc.array(fc.array(fc.integer({ min: 0, max: 40 }).map(String)), { maxLength: 20 });
  fc.assert(fc.property(users, (states) => {
    const [telling, heard] = [new Telling(), new Set<string>()];
    for (const here of states) {
      hear(heard, telling.next(new Set(here)));
      assert.deepEqual([...heard].sort(), [...new Set(here)].sort());
    }
  }));
});

test("servers: more users than fit are told one part after the other", () => {
  const here = new Set(Array.from({ length: 2 * MAX_MEET + 1 }, (_, i) => String(i)));
  const [telling, heard] = [new Telling(), new Set<string>()];
  for (const count of [MAX_MEET, 2 * MAX_MEET, 2 * MAX_MEET + 1]) {
    const told = telling.next(here);
    assert.ok(told.came.length <= MAX_MEET);
    hear(heard, told);
    assert.equal(heard.size, count);
  }
});

test("servers: the list has this one first, each once, and is bounded", () => {
  const servers = new Servers("a:1");
  assert.deepEqual(servers.all, ["a:1"]);
  servers.learn(["b:1", "a:1", "b:1", "c:1"]);
  assert.deepEqual(servers.all, ["a:1", "b:1", "c:1"]);
  servers.learn(Array.from({ length: 40 }, (_, i) => `h${i}:1`));
  assert.equal(servers.all.length, MAX_SERVERS);
});

test("servers: news come in order, in parts that a frame takes, and not to who left", () => {
  const news = new News("e");
  const heard: string[] = [];
  const listener = { push: (json: string) => heard.push(json) > 0 };
  const batch = (first: number) => ({
    first,
    count: 1,
    at: 1,
    json: JSON.stringify({ first, text: "x".repeat(LIVE_BYTES / 2) }),
  });
  news.entries([batch(1)]);
  news.add(listener);
  news.entries([2, 3, 4, 5, 6].map(batch));
  const told = heard.map((json) => JSON.parse(json));
  assert.deepEqual(told.map(({ from }) => from), [2, 4, 6]);
  assert.deepEqual(
    told.flatMap(({ batches }) => batches.map(({ first }: { first: number }) => first)),
    [2, 3, 4, 5, 6],
  );
  assert.ok(told.every(({ push, epoch }) => push === "news" && epoch === "e"));
  news.delete(listener);
  news.head(7);
  assert.equal(heard.length, 3);
});
