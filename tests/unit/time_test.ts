import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../lib/errors.ts";
import {
  formatLocal,
  formatPython,
  parseDuration,
  parseSpan,
  parseTime,
} from "../../lib/text/time.ts";

const NOW = Date.parse("2026-11-20T22:57:15.253Z");

/** What is meant, in UTC, by what is typed in a zone. */
function meant(typed: string, zone = "UTC"): string {
  return new Date(parseTime(typed, NOW, zone)).toISOString();
}

test("time: a clock time is today", () => {
  assert.equal(meant("09:05"), "2026-11-20T09:05:00.000Z");
  assert.equal(meant("9:05"), "2026-11-20T09:05:00.000Z");
  assert.equal(meant("23:57:15"), "2026-11-20T23:57:15.000Z");
  assert.equal(meant("9:57:15"), "2026-11-20T09:57:15.000Z");
});

test("time: today and yesterday begin with the day of the zone, and end with it", () => {
  assert.equal(meant("today"), "2026-11-20T00:00:00.000Z");
  assert.equal(meant("Yesterday", "Asia/Tokyo"), "2026-11-19T15:00:00.000Z");
  assert.deepEqual(parseSpan("yesterday yesterday", NOW, "UTC"), {
    since: Date.parse("2026-11-19T00:00:00.000Z"),
    until: Date.parse("2026-11-19T23:59:59.999Z"),
  });
});

test("time: today is the day of the zone", () => {
  // 22:57 UTC is the next day in Tokyo and the same day in New York.
  assert.equal(meant("00:30", "Asia/Tokyo"), "2026-11-20T15:30:00.000Z");
  assert.equal(meant("00:30", "America/New_York"), "2026-11-20T05:30:00.000Z");
});

test("time: a date is its first moment, local", () => {
  assert.equal(meant("2026-11-20"), "2026-11-20T00:00:00.000Z");
  assert.equal(meant("2026-11-20", "Europe/Berlin"), "2026-11-19T23:00:00.000Z");
  assert.equal(meant("2026-07-20", "Europe/Berlin"), "2026-07-19T22:00:00.000Z");
});

test("time: quotes around it are taken off", () => {
  const now = Date.UTC(2026, 10, 21);
  const bare = parseTime("2026-11-20 23:57", now, "UTC");
  assert.equal(parseTime('"2026-11-20 23:57"', now, "UTC"), bare);
  assert.equal(parseTime("'2026-11-20 23:57'", now, "UTC"), bare);
});

test("time: a date with a clock time is local", () => {
  for (const typed of ["2026-11-20 10:30", "2026-11-20T10:30", "2026-11-20 10:30:00"]) {
    assert.equal(meant(typed, "Europe/Berlin"), "2026-11-20T09:30:00.000Z", typed);
  }
  assert.equal(meant("2026-11-20T23:57:15.253017"), "2026-11-20T23:57:15.253Z");
});

test("time: an offset counts, wherever the machine is", () => {
  const texts = ["2026-11-20T09:30:00Z", "2026-11-20T10:30:00+01:00", "2026-11-20T10:30+01"];
  for (const typed of [...texts, "2026-11-20T04:30-0500", "2026-11-20 09:30z"]) {
    assert.equal(meant(typed, "Asia/Tokyo"), "2026-11-20T09:30:00.000Z", typed);
  }
});

test("time: an age counts back from now", () => {
  const ages = { "0s": 0, "30s": 30_000, "15m": 900_000, "2h": 7_200_000, "3d": 259_200_000 };
  for (const [typed, ms] of Object.entries(ages)) {
    assert.equal(parseTime(typed, NOW, "Asia/Tokyo"), NOW - ms, typed);
  }
  assert.equal(parseTime("1w", NOW, "UTC"), NOW - 604_800_000);
});

test("time: spaces around it do not matter", () => {
  assert.equal(meant("  2026-11-20 \n"), "2026-11-20T00:00:00.000Z");
});

test("time: an hour that the clock skips is taken, not refused", () => {
  assert.equal(meant("2026-03-29 02:30", "Europe/Berlin"), "2026-03-29T01:30:00.000Z");
});

test("time: anything else is refused with the forms that are understood", () => {
  const bad = ["", "now", "tomorrow", "25:00", "12:60", "12", "2026-13-01", "2026-02-30", "1.5h"];
  for (
    const typed of [...bad, "-5m", "15M", "12:00:00:00", "20.11.2026", "2026-11-20T25:00Z", "٣m"]
  ) {
    assert.throws(
      () => parseTime(typed, NOW, "UTC"),
      (error) =>
        error instanceof UsageError &&
        /: expected HH:MM.*, YYYY-MM-DD .*, or an age/.test(error.message),
      typed,
    );
  }
});

test("time: a duration is a number and a unit", () => {
  assert.equal(parseDuration("30s"), 30_000);
  assert.equal(parseDuration(" 4w "), 2_419_200_000);
  for (const typed of ["", "5", "m", "1h30m", "-1h"]) {
    assert.throws(() => parseDuration(typed), UsageError, typed);
  }
});

test("time: a span is a beginning, or also an end, which is of the same day", () => {
  const span = (typed: string) => {
    const { since, until } = parseSpan(typed, NOW, "UTC");
    return [since, until].map((at) =>
      at === undefined ? "" : new Date(at).toISOString().slice(5, 23)
    );
  };
  assert.deepEqual(span("2h"), ["11-20T20:57:15.253", ""]);
  assert.deepEqual(span("2h 1h"), ["11-20T20:57:15.253", "11-20T21:57:15.253"]);
  assert.deepEqual(span("14:00 15:00"), ["11-20T14:00:00.000", "11-20T15:00:59.999"]);
  assert.deepEqual(span("2026-11-03 14:00"), ["11-03T14:00:00.000", ""]);
  assert.deepEqual(span("2026-11-03 2026-11-04"), ["11-03T00:00:00.000", "11-04T23:59:59.999"]);
  assert.deepEqual(span("2026-11-03 14:00 15:00"), ["11-03T14:00:00.000", "11-03T15:00:59.999"]);
  assert.deepEqual(
    span(" 2026-11-03 14:00  2026-11-04 15:00:30"),
    ["11-03T14:00:00.000", "11-04T15:00:30.999"],
  );
  assert.throws(() => parseSpan("15:00 14:00", NOW, "UTC"), /the end lies before the beginning/);
  for (const typed of ["", "x", "2h x", "2h 1h 30m"]) {
    assert.throws(() => parseSpan(typed, NOW, "UTC"), UsageError, typed);
  }
});

test("time: what is shown can be typed again", () => {
  const shown = formatLocal(NOW);
  assert.match(shown, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  assert.equal(parseTime(shown), NOW - NOW % 1_000);
});

test("time: Python's form has microseconds and can be typed again", () => {
  assert.match(formatPython(NOW), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.253000$/);
  assert.match(formatPython(NOW - 253), /\.000000$/);
  assert.equal(parseTime(formatPython(NOW)), NOW);
});
