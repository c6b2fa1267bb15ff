import assert from "node:assert/strict";
import { test } from "node:test";
import { Watchdog } from "../../lib/group/watchdog.ts";

const MIB = 1_048_576;

/** A watchdog whose memory and clock are set by hand; looks every 100 ms of that clock. */
async function watching(
  body: (at: { native(mib: number, ms?: number): Promise<void>; cuts: string[] }) => Promise<void>,
): Promise<void> {
  let mib = 50;
  let time = 0;
  const cuts: string[] = [];
  const cut = (what: string) => () => {
    cuts.push(what);
    return Promise.resolve();
  };
  const watchdog = new Watchdog({
    limit: 1_024 * MIB,
    shedUnknown: cut("unknown"),
    shedAll: cut("all"),
    warn: () => {},
    memory: () => ({ rss: (mib + 20) * MIB, heapTotal: 20 * MIB }),
    now: () => time,
  });
  try {
    await body({
      cuts,
      async native(next, ms = 100) {
        mib = next;
        for (const end = time + ms; time < end;) {
          time += 100;
          watchdog.look();
          await Promise.resolve().then(() => {}).then(() => {}).then(() => {});
        }
      },
    });
  } finally {
    await watchdog.close();
  }
}

test("watchdog: growth up to 48 MiB is nobody's fault", async () => {
  await watching(async ({ native, cuts }) => {
    await native(98, 10_000);
    assert.deepEqual(cuts, []);
  });
});

test("watchdog: what malloc keeps after a cut is not a floor for the next flood", async () => {
  await watching(async ({ native, cuts }) => {
    await native(100);
    assert.deepEqual(cuts, ["unknown"]);
    // Not falling and not growing: cut ever more seldom, so that a stranger can knock again.
    await native(100, 120_000);
    const quiet = cuts.length;
    assert.ok(quiet >= 8 && quiet <= 16, `${quiet} cuts`);
    // A flood that goes on after that is cut after 4 MiB, not after another 48.
    await native(105);
    assert.equal(cuts.length, quiet + 1);
    assert.equal(cuts.includes("all"), false);
  });
});

test("watchdog: everyone is cut when cutting the unknown does not help, not more than every 2 s", async () => {
  await watching(async ({ native, cuts }) => {
    for (let mib = 100; mib <= 175; mib += 5) await native(mib);
    assert.equal(cuts.includes("all"), false);
    for (let mib = 180; mib <= 230; mib += 5) await native(mib);
    assert.equal(cuts.filter((what) => what === "all").length, 1);
    await native(300, 2_100);
    await native(310);
    assert.equal(cuts.filter((what) => what === "all").length, 2);
  });
});

test("watchdog: at the limit everyone is cut, whatever grew", async () => {
  await watching(async ({ native, cuts }) => {
    await native(1_010);
    assert.deepEqual(cuts, ["all"]);
  });
});
