import assert from "node:assert/strict";
import { test } from "node:test";
import { PeerTable } from "../../lib/transport/libzmq/peers.ts";

interface One {
  readonly key: string;
  readonly since: number;
  lively: number;
  admitted: boolean;
}

const one = (key: string, since = 0): One => ({ key, since, lively: since, admitted: false });
const table = () => new PeerTable<One>({ connections: 3, strangers: 2, admitWithin: 5_000 });

/** Takes out what must go, and says which and why. */
function clear(peers: PeerTable<One>, going: Iterable<[One, string]>): string[] {
  const gone: string[] = [];
  for (const [peer, why] of going) {
    peers.delete(peer);
    gone.push(`${peer.key}: ${why}`);
  }
  return gone;
}

test("the stranger heard longest ago goes when they are too many", () => {
  const peers = table();
  const [a, b, c] = ["a", "b", "c"].map((key) => one(key));
  for (const peer of [a, b, a, c]) peers.touch(peer);
  assert.deepEqual(clear(peers, peers.overfull()), ["b: too many strangers"]);
  assert.deepEqual([...peers], [a, c]);
});

test("strangers go before the known when all are too many", () => {
  const peers = table();
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((key) => one(key));
  for (const peer of [a, b, c]) {
    peers.touch(peer);
    peer.admitted = true;
    peers.touch(peer);
  }
  peers.touch(d);
  assert.deepEqual(clear(peers, peers.overfull()), ["d: too many peers"]);
  e.admitted = true;
  peers.touch(a);
  peers.touch(e);
  assert.deepEqual(clear(peers, peers.overfull()), ["b: too many peers"]);
  assert.deepEqual([peers.size, peers.strangers, peers.get("b")], [3, 0, undefined]);
});

test("the silent go after 60 s, strangers when their time is over", () => {
  const peers = table();
  const [a, b, c] = [one("a"), one("b"), one("c", 58_000)];
  a.admitted = b.admitted = true;
  for (const peer of [a, b, c]) peers.touch(peer);
  assert.deepEqual(clear(peers, peers.overdue(59_999)), []);
  a.lively = 59_000;
  assert.deepEqual(clear(peers, peers.overdue(60_000)), ["b: silent"]);
  assert.deepEqual(clear(peers, peers.overdue(63_000)), ["c: not admitted in time"]);
  assert.deepEqual([...peers], [a]);
});

test("whoever was cut is ignored for 10 s, however often it speaks", () => {
  const peers = table();
  peers.ignore("a", 0);
  for (const now of [1, 5_000, 9_999]) assert.ok(peers.ignores("a", now));
  assert.ok(!peers.ignores("a", 10_000));
  assert.ok(!peers.ignores("b", 0));
});

test("10,000 of those cut are remembered, the latest", () => {
  const peers = table();
  for (let n = 0; n <= 10_000; n++) peers.ignore(`${n}`, 0);
  assert.deepEqual([0, 1, 10_000].map((n) => peers.ignores(`${n}`, 1)), [false, true, true]);
});
