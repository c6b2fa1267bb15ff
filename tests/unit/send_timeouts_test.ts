import assert from "node:assert/strict";
import { test } from "node:test";
import { Unreachable } from "../../lib/errors.ts";
import { SendTimeouts, type Waiting } from "../../lib/user/send_timeouts.ts";
import type { LinkState } from "../../lib/user/types.ts";
import { until } from "../support.ts";

/** A group in a state, and callers who wait for it. */
function made() {
  const target = { id: "group", name: "Lab", address: "127.0.0.1:1", key: "" };
  const link: { state: LinkState; target: typeof target } = { state: "connecting", target };
  const all: Waiting[] = [];
  const timeouts = new SendTimeouts(link, () => all);
  const ended: string[] = [];
  const wait = (name: string, timeout: number) => {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => ended.push(name));
    all.push({ timeout, since: performance.now(), reject });
    timeouts.watch(all[all.length - 1]);
    return promise;
  };
  return { link, all, timeouts, ended, wait };
}

test("a send times out for a group that does not answer, whoever is due first", async () => {
  const { timeouts, ended, wait } = made();
  const long = wait("long", 40);
  const short = wait("short", 10);
  const ever = wait("ever", Infinity);
  await assert.rejects(long, /no answer within 0\.1 s; the message is kept/);
  await assert.rejects(short, Unreachable);
  assert.deepEqual(ended, ["short", "long"]);
  timeouts.close();
  ever.catch(() => {});
});

test("a send does not time out for a group that answers, for a call that is done, or after close", async () => {
  const { link, all, timeouts, ended, wait } = made();
  link.state = "live";
  const answered = wait("answered", 10);
  const begun = all[0].since;
  wait("done", 30);
  await until(() => all[0].since > begun, 5_000, "a look at who is due");
  all.splice(1, 1);
  await until(() => all[0].since > begun + 30, 5_000, "a look when the other would be due");
  assert.deepEqual(ended, []);
  link.state = "unreachable";
  await assert.rejects(answered, Unreachable);
  wait("left", 5);
  timeouts.close();
  await assert.rejects(made().wait("due later than that", 10), Unreachable);
  assert.deepEqual(ended, ["answered"]);
});
