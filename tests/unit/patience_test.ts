import assert from "node:assert/strict";
import { test } from "node:test";
import { Unreachable } from "../../lib/errors.ts";
import { type Answering, Patience, type Waiting } from "../../lib/user/patience.ts";
import { pause } from "../../lib/user/pause.ts";

/** A group in a state, and callers who wait for it. */
function made() {
  const link = { state: "connecting", target: { name: "Lab", address: "127.0.0.1:1" } };
  const all: Waiting[] = [];
  const patience = new Patience(link as unknown as Answering, () => all);
  const ended: string[] = [];
  const wait = (name: string, within: number) => {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => ended.push(name));
    all.push({ within, since: performance.now(), reject });
    patience.watch(all[all.length - 1]);
    return promise;
  };
  return { link, all, patience, ended, wait };
}

test("patience ends for a group that does not answer, whoever is due first", async () => {
  const { patience, ended, wait } = made();
  const long = wait("long", 40);
  const short = wait("short", 10);
  const ever = wait("ever", Infinity);
  await assert.rejects(long, /no answer within 0.04 s; the message is kept/);
  await assert.rejects(short, Unreachable);
  assert.deepEqual(ended, ["short", "long"]);
  patience.close();
  ever.catch(() => {});
});

test("patience does not end for a group that answers, for a call that is done, or after close", async () => {
  const { link, all, patience, ended, wait } = made();
  link.state = "live";
  const answered = wait("answered", 10);
  wait("done", 30);
  await pause(20);
  all.splice(1, 1);
  await pause(20);
  assert.deepEqual(ended, []);
  link.state = "unreachable";
  await assert.rejects(answered, Unreachable);
  wait("left", 5);
  patience.close();
  await pause(10);
  assert.deepEqual(ended, ["answered"]);
});
