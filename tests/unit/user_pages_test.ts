import assert from "node:assert/strict";
import { test } from "node:test";
import { BadReply } from "../../lib/errors.ts";
import { allPages } from "../../lib/user/pages.ts";

const NAMES = Array.from({ length: 25 }, (_, i) => String.fromCharCode(97 + i));

interface Page {
  readonly names: readonly string[];
  readonly more: boolean;
}

/** An honest list of ten a page. */
const honest = {
  what: "the list",
  wayOut: "ask another",
  ask(after: string): Promise<Page> {
    const left = NAMES.filter((name) => name > after);
    return Promise.resolve({ names: left.slice(0, 10), more: left.length > 10 });
  },
  keys: ({ names }: Page) => names,
};

test("pages of an honest list come whole and in order", async () => {
  const pages = await Array.fromAsync(allPages(honest));
  assert.deepEqual(pages.map(({ names }) => names.length), [10, 10, 5]);
  assert.deepEqual(pages.flatMap(({ names }) => names), NAMES);
});

test("pages end with a sentence when their time is over", async () => {
  const found: string[] = [];
  await assert.rejects(async () => {
    for await (const { names } of allPages({ ...honest, within: 0 })) found.push(...names);
  }, (error) => {
    assert.ok(error instanceof BadReply);
    assert.equal(
      error.message,
      "Cannot use the list: it has not come to its end within 0.1 s; ask another",
    );
    return true;
  });
  assert.equal(found.length, 10);
});

test("pages are not asked for once nobody wants them", async () => {
  const stop = new AbortController();
  let asked = 0;
  const ask = (after: string) => {
    if (++asked === 2) stop.abort();
    return honest.ask(after);
  };
  const pages = await Array.fromAsync(allPages({ ...honest, ask, signal: stop.signal }));
  assert.deepEqual([asked, pages.length], [2, 2]);
});
