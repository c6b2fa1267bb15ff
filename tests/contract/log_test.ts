/** What every engine of the log can do: one suite over all of them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Closed, HeadMoved, UsageError } from "../../lib/errors.ts";
import { type Log, requirePower } from "../../lib/log/log.ts";
import { ENGINES, logSuite } from "./log_engines.ts";
import { ALICE, append, BOB, fill, firsts, mid, Writer } from "./log_support.ts";

const POWERS = ["drop", "verify", "copy"] as const;

logSuite((logTest) => {
  logTest("starts empty", async ({ log, start }) => {
    assert.match(
      start.epoch,
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    assert.deepEqual({ ...start, epoch: "" }, {
      epoch: "",
      head: 0,
      at: 0,
      hash: "A".repeat(43),
      tail: 1,
      members: [],
      values: {},
    });
    assert.equal(await log.lastMid(ALICE), undefined);
    assert.deepEqual(await log.read({}), []);
    assert.deepEqual(await log.read({ last: true }), []);
    assert.deepEqual(await log.find(ALICE, [mid(1)]), new Map());
  });

  logTest("reads back what it was given, with the hash of all before", async ({ log }) => {
    const writer = new Writer();
    const batches = [
      writer.join(),
      writer.many(3, { text: 'ü "\u2028" \u0000 😀' }),
      writer.join(),
    ];
    const answered = await append(log, ...batches.slice(0, 2));
    const more = await append(log, ...batches.slice(2));
    let hash: Uint8Array = new Uint8Array(32);
    const wanted = batches.map(({ first, count, at, json }) => {
      hash = createHash("sha256").update(hash).update(json).digest();
      return { first, count, at, json: `${json.slice(0, -1)},"hash":"${base64url(hash)}"}` };
    });
    assert.deepEqual(await log.read({}), wanted);
    assert.deepEqual([...answered, ...more], wanted);
  });

  logTest("refuses a commit for another head, and keeps nothing of it", async (opened) => {
    const { log, again } = opened;
    const refuses = async (actual: number) => {
      const before = await told(log);
      for (const expected of [actual - 1, actual + 1, actual + 2, -1, NaN]) {
        const next = new Writer(expected + 1, 9_000).many(1, { author: BOB });
        const moved = (error: unknown) =>
          error instanceof HeadMoved && Object.is(error.expected, expected) &&
          error.actual === actual;
        const values = { refused: "x", kept: "changed" };
        const members = [{ user: BOB, json: "{}" }];
        const rest = { members, gone: [ALICE], values };
        for (const batches of [[next], [new Writer(actual + 1, 9_000).many(1)], []]) {
          await assert.rejects(log.append(expected, { batches, ...rest }), moved);
        }
      }
      assert.deepEqual(await told(log), before);
    };
    await refuses(0);
    const writer = new Writer();
    const members = [{ user: ALICE, json: "1" }];
    await log.append(0, { batches: [writer.many(3)], members, values: { kept: "1" } });
    await refuses(3);
    await append(log, writer.many(2));
    await refuses(5);
    const { hash } = JSON.parse((await log.read({ last: true, limit: 1 }))[0].json);
    const { log: same, start } = await again();
    assert.deepEqual({ ...start, epoch: "" }, {
      epoch: "",
      head: 5,
      at: 1_000,
      hash,
      tail: 1,
      members,
      values: { kept: "1" },
    });
    await append(same, writer.many(1));
  });

  logTest("takes one of two commits for the same head", async ({ log }) => {
    const [one, other] = [new Writer(), new Writer()];
    await append(log, one.many(2));
    await assert.rejects(append(log, other.many(2)), { name: "HeadMoved", expected: 0, actual: 2 });
    await log.append(2, { batches: [], values: { a: "1" } });
    await log.append(2, { batches: [], values: { a: "2" } });
    await append(log, one.many(1));
    await assert.rejects(log.append(2, { batches: [], values: { a: "3" } }), HeadMoved);
    assert.deepEqual(await firsts(log, {}), [1, 3]);
  });

  logTest("refuses batches that do not follow the head", async ({ log, again }) => {
    await append(log, new Writer(1, 1_000).many(2));
    const [third, sixth] = [new Writer(3).many(2), new Writer(6).many(1)];
    for (
      const batches of [
        [new Writer(2).many(1)],
        [new Writer(4).many(1)],
        [third, sixth],
        [third, third],
        [new Writer(3).many(1, { at: 999 })],
        [new Writer(3).messages({ mids: [mid(1), mid(60_002)] })],
        [{ ...new Writer(3).many(2), count: 1 }],
        [{ ...new Writer(3).join(), count: 2 }],
        [{ ...new Writer(3).many(2), mids: [mid(3)] }],
      ]
    ) {
      const wanted = { name: "RangeError", message: /^Cannot append batch \d: / };
      await assert.rejects(log.append(2, { batches, values: { kept: "no" } }), wanted);
    }
    assert.deepEqual(await firsts(log, {}), [1]);
    await append(log, new Writer(3).many(1));
    const { start } = await again();
    assert.deepEqual([start.head, start.values], [3, {}]);
  });

  logTest("reads whole batches that hold an entry of the range", async ({ log }) => {
    await fill(log, [4, 1, 5, 2]); // first 1, 5, 6, 11; at 1000, 1010, 1020, 1030
    const cases: [Parameters<Log["read"]>[0], number[]][] = [
      [{}, [1, 5, 6, 11]],
      [{ after: 3 }, [1, 5, 6, 11]],
      [{ after: 4 }, [5, 6, 11]],
      [{ after: 11 }, [11]],
      [{ after: 12 }, []],
      [{ after: 99 }, []],
      [{ before: 1 }, []],
      [{ before: 2 }, [1]],
      [{ before: 6 }, [1, 5]],
      [{ before: 7 }, [1, 5, 6]],
      [{ after: 6, before: 8 }, [6]],
      [{ after: 6, before: 7 }, []],
      [{ after: 8, before: 3 }, []],
      [{ since: 1_010 }, [5, 6, 11]],
      [{ since: 1_011 }, [6, 11]],
      [{ since: 1_031 }, []],
      [{ until: 1_020 }, [1, 5, 6]],
      [{ until: 1_019 }, [1, 5]],
      [{ until: 999 }, []],
      [{ since: 1_001, until: 1_029 }, [5, 6]],
      [{ since: 1_011, until: 1_019 }, []],
      [{ since: 1_010, before: 6 }, [5]],
      [{ until: 1_020, after: 5 }, [6]],
    ];
    for (const [range, wanted] of cases) {
      assert.deepEqual(await firsts(log, range), wanted, JSON.stringify(range));
      const last = { ...range, last: true };
      assert.deepEqual(await firsts(log, last), wanted, JSON.stringify(last));
    }
  });

  logTest("finds the bounds of a time that many batches share", async ({ log }) => {
    const writer = new Writer();
    const times = [5, 5, 7, 7, 7, 9];
    await append(log, ...times.map((at) => writer.many(1, { at })));
    assert.deepEqual(await firsts(log, { since: 7, until: 7 }), [3, 4, 5]);
    assert.deepEqual(await firsts(log, { since: 5, until: 6 }), [1, 2]);
  });

  logTest("stops a read at its limits, oldest or newest first", async ({ log }) => {
    const [batch] = await fill(log, [4, 1, 5, 2]);
    const one = batch.json.length + `,"hash":""`.length + 43;
    const cases: [Parameters<Log["read"]>[0], number[]][] = [
      [{ limit: 1 }, [1]],
      [{ limit: 4 }, [1]],
      [{ limit: 5 }, [1, 5]],
      [{ after: 3, limit: 2 }, [1, 5]],
      [{ limit: 1, last: true }, [11]],
      [{ limit: 2, last: true }, [11]],
      [{ limit: 3, last: true }, [6, 11]],
      [{ limit: 3, last: true, before: 8 }, [5, 6]],
      [{ bytes: 1 }, [1]],
      [{ bytes: one }, [1]],
      [{ bytes: 1, last: true }, [11]],
    ];
    for (const [range, wanted] of cases) {
      assert.deepEqual(await firsts(log, range), wanted, JSON.stringify(range));
    }
    const [first, second] = await log.read({ limit: 5 });
    const both = first.json.length + second.json.length;
    assert.deepEqual(await firsts(log, { bytes: both }), [1, 5]);
    assert.deepEqual(await firsts(log, { bytes: both - 1 }), [1]);
  });

  logTest("answers at most 1,000 entries unless told", async ({ log }) => {
    await fill(log, [256, 256, 256, 231, 1, 1]);
    assert.deepEqual(await firsts(log, {}), [1, 257, 513, 769, 1_000]);
  });

  logTest("finds messages by author and mid", async ({ log }) => {
    const writer = new Writer();
    await append(
      log,
      writer.messages({ at: 1_000, mids: [mid(10), mid(20), mid(60_010)] }),
      writer.messages({ at: 1_001, mids: [mid(15), mid(30), mid(60_000)] }),
      writer.join({ author: ALICE }),
      writer.messages({ at: 1_002, mids: [mid(20)], author: BOB }),
      writer.messages({ at: 1_003, mids: [mid(20, 1)] }),
      writer.messages({ at: 1_004, mids: [mid(200_000)] }),
    );
    const all = [200_000, 60_010, 60_000, 30, 20, 15, 10].map((ms) => mid(ms));
    const absent = [mid(10, 1), mid(16), mid(60_011), mid(199_999), mid(300_000), mid(0)];
    const wanted = new Map([
      [mid(10), { seq: 1, at: 1_000 }],
      [mid(15), { seq: 4, at: 1_001 }],
      [mid(20), { seq: 2, at: 1_000 }],
      [mid(30), { seq: 5, at: 1_001 }],
      [mid(60_000), { seq: 6, at: 1_001 }],
      [mid(60_010), { seq: 3, at: 1_000 }],
      [mid(200_000), { seq: 10, at: 1_004 }],
    ]);
    assert.deepEqual(await log.find(ALICE, [...all, ...absent]), wanted);
    for (const one of all) {
      assert.deepEqual(await log.find(ALICE, [one]), new Map([[one, wanted.get(one)]]));
    }
    for (const one of absent) assert.deepEqual(await log.find(ALICE, [one]), new Map());
    assert.deepEqual(
      await log.find(BOB, [...all, mid(20, 1)]),
      new Map([[mid(20), { seq: 8, at: 1_002 }]]),
    );
    assert.deepEqual(await log.find("nobody", all), new Map());
    assert.deepEqual(await log.find(ALICE, []), new Map());
  });

  logTest(
    "knows the greatest mid of each author, whatever the order they came in",
    async ({ log }) => {
      const writer = new Writer();
      await append(
        log,
        writer.messages({ mids: [mid(10), mid(20)] }),
        writer.messages({ mids: [mid(15, 1)] }),
        writer.join({ author: "silent" }),
        writer.messages({ mids: [mid(90_000)], author: BOB }),
      );
      assert.equal(await log.lastMid(ALICE), mid(20));
      assert.equal(await log.lastMid(BOB), mid(90_000));
      assert.equal(await log.lastMid("silent"), undefined);
      assert.equal(await log.lastMid("nobody"), undefined);
      await append(log, writer.messages({ mids: [mid(20, 1)] }));
      assert.equal(await log.lastMid(ALICE), mid(20, 1));
    },
  );

  logTest("keeps members and values of a commit without batches", async ({ log, again }) => {
    assert.deepEqual(await log.append(0, { batches: [], values: { a: "1", b: "2" } }), []);
    await log.append(0, { batches: [], members: [{ user: ALICE, json: "{}" }] });
    await append(log, new Writer().many(2));
    await log.append(2, { batches: [], values: { a: undefined, c: "3" }, gone: [BOB] });
    const { start } = await again();
    assert.deepEqual(start.values, { b: "2", c: "3" });
    assert.deepEqual([start.head, start.members], [2, [{ user: ALICE, json: "{}" }]]);
  });

  logTest("holds 100,000 entries and pages through them", async ({ log }) => {
    const writer = new Writer();
    for (let i = 0; i < 40; i++) {
      await append(log, ...Array.from({ length: 10 }, () => writer.many(250)));
    }
    let after = 0;
    for (let pages = 0; after < 100_000; pages++) {
      const page = await log.read({ after, bytes: 65_536 });
      assert.equal(page[0].first, after + 1);
      const newest = page[page.length - 1];
      after = newest.first + newest.count - 1;
      assert.ok(pages < 400);
    }
    assert.equal(after, 100_000);
    assert.deepEqual(
      await log.find(ALICE, [mid(50_001)]),
      new Map([[mid(50_001), {
        seq: 50_001,
        at: 1_000,
      }]]),
    );
  });

  logTest("closes twice and then refuses everything", async ({ log }) => {
    await append(log, new Writer().many(1));
    await log.close();
    await log.close();
    for (
      const call of [
        () => log.open(),
        () => log.append(1, { batches: [] }),
        () => log.read({}),
        () => log.find(ALICE, [mid(1)]),
        () => log.lastMid(ALICE),
      ]
    ) await assert.rejects(call, Closed);
  });
});

test("log: what an engine cannot do is refused with a sentence that names it", () => {
  const cannot = Object.entries(ENGINES).flatMap(([name, { powers }]) =>
    POWERS.filter((power) => powers.power(power) === undefined)
      .map((power) => `${name} ${power}`)
  );
  assert.deepEqual(cannot, ["memory copy"]);
  assert.throws(
    () => requirePower(ENGINES.memory.powers, "copy", "back up to a file"),
    (error) => error instanceof UsageError && /^Cannot back up to .*"memory"/.test(error.message),
  );
});

/** All that a log says. */
async function told(log: Log): Promise<unknown[]> {
  const mids = [mid(1), mid(2), mid(9)];
  return [
    await log.read({}),
    await log.find(ALICE, mids),
    await log.find(BOB, mids),
    await log.lastMid(ALICE),
    await log.lastMid(BOB),
  ];
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
