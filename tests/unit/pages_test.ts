import assert from "node:assert/strict";
import { test } from "node:test";
import { Pages } from "../../lib/session/pages.ts";
import { until } from "../support.ts";

function reader() {
  return { open: true, peer: { waiting: 0 } };
}

const page = (make: () => Promise<void>, drop = () => {}) => ({ make, drop });

test("pages make the first one at once and the others one after the other", async () => {
  const pages = new Pages();
  const one = reader();
  const made: number[] = [];
  let under = 0;
  for (let i = 0; i < 5; i++) {
    pages.add(
      one,
      page(async () => {
        assert.equal(++under, 1, "no two at once");
        made.push(i);
        await Promise.resolve();
        under--;
      }),
    );
  }
  assert.deepEqual(made, [0]);
  await until(() => made.length === 5, 1_000, "all pages");
  assert.deepEqual(made, [0, 1, 2, 3, 4]);
  await until(() => pages.size === 0, 1_000, "the end of the queue");
});

test("pages are not made for who does not take what it has, and for others they are", async () => {
  const pages = new Pages();
  const [deaf, other] = [reader(), reader()];
  let [made, others, dropped] = [0, 0, 0];
  for (let i = 0; i < 256; i++) {
    const make = () => {
      made++;
      deaf.peer.waiting += 400_000;
      return Promise.resolve();
    };
    pages.add(deaf, page(make, () => dropped++));
  }
  await until(() => made === 3, 1_000, "as many as fit");
  for (let i = 0; i < 50; i++) {
    pages.add(other, page(() => Promise.resolve(void others++)));
  }
  await until(() => others === 50, 1_000, "the other's pages");
  assert.equal(made, 3);
  deaf.peer.waiting = 0;
  await until(() => made === 6, 1_000, "more, once those are taken");
  deaf.open = false;
  await until(() => pages.size === 0, 1_000, "nothing is kept for who is gone");
  assert.deepEqual([made, dropped], [6, 250]);
});
