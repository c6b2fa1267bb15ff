import assert from "node:assert/strict";
import { test } from "node:test";
import { isNamedMid, midMaker, midOf } from "../../lib/identity/mids.ts";
import { isMid, midTime } from "../../lib/identity/ids.ts";
import { midAt, NOW } from "./fixtures.ts";

/** That many ids, checked to be well-formed and to grow. */
function take(maker: () => string, n: number, after = ""): string[] {
  const mids = Array.from({ length: n }, maker);
  for (const mid of mids) {
    assert.equal(isMid(mid), true, mid);
    assert.ok(mid > after, `${mid} after ${after}`);
    after = mid;
  }
  return mids;
}

test("mids hold the moment they were made", () => {
  let now = NOW;
  const maker = midMaker(undefined, () => now);
  for (; now < NOW + 100; now += 7) assert.equal(midTime(maker()), now);
});

test("mids grow while the clock stands, beyond what fits into a millisecond", () => {
  const mids = take(midMaker(undefined, () => NOW), 10_000);
  assert.equal(midTime(mids[4_095]), NOW);
  assert.equal(midTime(mids[4_096]), NOW + 1);
});

test("mids grow while the clock goes back", () => {
  let now = NOW;
  const maker = midMaker(undefined, () => now -= 1_000);
  take(maker, 1_000);
});

test("mids grow beyond those of an earlier run with a clock ahead", () => {
  const earlier = midAt(NOW + 86_400_000, 5);
  take(midMaker(earlier, () => NOW), 10, earlier);
});

test("mids of two makers at one moment differ", () => {
  const [a, b] = [midMaker(undefined, () => NOW), midMaker(undefined, () => NOW)];
  assert.notEqual(a(), b());
});

test("any UUID stands for one mid, a version 7 one for itself", () => {
  const own = midMaker()();
  assert.deepEqual([midOf(own), midOf(own.toUpperCase())], [own, own]);
  const others = ["6f9619ff-8b86-4011-b42d-00c04fc964ff", "00000000-0000-0000-0000-000000000000"];
  const mids = others.map((uuid) => midOf(uuid)!);
  assert.deepEqual(mids, others.map((uuid) => midOf(uuid.toUpperCase())), "always the same one");
  assert.notEqual(mids[0], mids[1]);
  for (const mid of mids) assert.ok(isMid(mid) && isNamedMid(mid) && !isNamedMid(own), mid);
  for (const bad of ["", "6f9619ff", `${own} `, "g".repeat(36)]) {
    assert.equal(midOf(bad), undefined);
  }
});
