import assert from "node:assert/strict";
import { test } from "node:test";
import { keepAlive } from "../../lib/user/connections.ts";
import { until } from "../support.ts";

/** A group that answers, and how often it was asked. */
function group(isFresh: boolean) {
  let pings = 0;
  const ping = () => {
    pings++;
    return Promise.resolve({ epoch: "", head: pings, at: 1 });
  };
  const link = { ping, state: "live", feed: { isFresh } } as const;
  return { link, pings: () => pings };
}

test("alive: a live feed over a watchful transport is sign enough, seven times of eight", async () => {
  const [heard, silent, unwatched] = [group(true), group(false), group(true)];
  const stop = [
    keepAlive(heard.link, true, 5),
    keepAlive(silent.link, true, 5),
    keepAlive(unwatched.link, false, 5),
  ];
  await until(() => heard.pings() === 10, 5_000, "ten signs of life");
  for (const end of stop) end();
  for (const { pings } of [silent, unwatched]) {
    assert.ok(pings() >= 70 && pings() <= 90, `${pings()} of about eighty`);
  }
});
