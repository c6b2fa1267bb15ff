import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { UsageError } from "../../lib/errors.ts";
import {
  formatAddress,
  isAddress,
  isNetworkAddress,
  looksLikeAddress,
  parseAddress,
  splitRegistry,
} from "../../lib/text/addresses.ts";
import { safeJson, safeLine, safeText } from "../../lib/text/filter.ts";
import { MAX_NAME, nameProblem, normalName } from "../../lib/text/names.ts";
import { formatLocal, formatPython, parseDuration, parseTime } from "../../lib/text/time.ts";
import { fixedKey, NOW } from "./fixtures.ts";
import { anyText, holds, unlessRefused } from "./properties.ts";

/** A form with some of its characters replaced, so that it nearly is one. */
const nearly = (...forms: string[]) =>
  fc.tuple(fc.constantFrom(...forms), fc.nat(), anyText).map(([form, at, text]) =>
    form.slice(0, at % (form.length + 1)) + text + form.slice(at % (form.length + 1) + text.length)
  );

const times = fc.oneof(
  anyText,
  nearly("23:57:15", "2026-11-20", "2026-11-20 23:57", "2026-11-20T23:57:15.253+01:00", "15m"),
  fc.array(fc.constantFrom(..."0123456789:-+TZsmhdw[=]. '\"")).map((all) => all.join("")),
);

test("time property: any text is a whole number of ms, or refused", () => {
  holds(times, (text) => {
    for (const zone of ["UTC", "Europe/Berlin"]) {
      const ms = unlessRefused(UsageError, () => parseTime(text, NOW, zone));
      if (ms !== undefined) assert.ok(Number.isSafeInteger(ms), `${ms}`);
    }
    const length = unlessRefused(UsageError, () => parseDuration(text));
    if (length !== undefined) assert.ok(Number.isSafeInteger(length) && length >= 0);
  });
});

test("time property: what is shown is read back as the time that is shown so", () => {
  // An hour that a clock shows twice is read as the first of both.
  holds(fc.nat({ max: Date.UTC(2100, 0) }), (ms) => {
    const read = parseTime(formatLocal(ms));
    assert.equal(formatLocal(read), formatLocal(ms));
    assert.ok(ms - read >= 0 && ms - read < 7_200_000, `${ms - read} ms before`);
    assert.equal(formatPython(parseTime(formatPython(ms))), formatPython(ms));
    assert.equal(parseTime(new Date(ms).toISOString()), ms);
  });
});

test("time property: an age lies that far before now", () => {
  holds(fc.tuple(fc.nat({ max: 999 }), fc.constantFrom(..."smhdw")), ([n, unit]) => {
    const length = parseDuration(`${n}${unit}`);
    assert.ok(Number.isSafeInteger(length));
    assert.equal(parseTime(`${n}${unit}`, NOW), Math.max(0, NOW - length));
  });
});

test("names property: a usable name has one spelling, shows as it is and is no address", () => {
  const letters = fc.string({ unit: "grapheme", minLength: 1, maxLength: MAX_NAME });
  holds(fc.oneof(anyText, letters), (text) => {
    const name = normalName(text);
    assert.equal(normalName(name), name);
    if (nameProblem(text) === undefined) {
      assert.equal(name, text);
      assert.equal(safeLine(text), text);
      assert.equal(looksLikeAddress(text), false);
      assert.ok([...text].length <= MAX_NAME);
    }
  });
});

test("addresses property: host and port are read back from how they are written", () => {
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  holds(fc.tuple(host, fc.nat({ max: 65_535 })), ([host, port]) => {
    const written = formatAddress({ host, port });
    assert.deepEqual(parseAddress(written), { host, port });
    assert.equal(isNetworkAddress(written), port > 0 && written.length <= 260);
    if (port === 0) return;
    const key = fixedKey(port % 256).publicKey;
    assert.deepEqual(splitRegistry(`${written}#${key}`), { address: written, key });
  });
});

test("addresses property: any text is one in all that looks at it, or in none", () => {
  const texts = fc.oneof(anyText, nearly("127.0.0.1:5555", "[::1]:5555", "ipc:///tmp/a", "a-b:1"));
  holds(texts, (text) => {
    const endpoint = parseAddress(text);
    if (endpoint) {
      assert.deepEqual(parseAddress(formatAddress(endpoint)), endpoint);
      assert.ok(looksLikeAddress(text));
    }
    if (isAddress(text)) {
      assert.ok(looksLikeAddress(text));
      assert.equal(safeLine(text), text);
    }
    assert.equal(splitRegistry(text) !== undefined && !text.includes("#"), isNetworkAddress(text));
  });
});

/** What a terminal obeys or a reader does not see, but for what may do its work in a text. */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;
const HIDDEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;

test("filter property: a line is free of all that is obeyed or not seen", () => {
  holds(anyText, (text) => {
    const safe = safeLine(text);
    assert.doesNotMatch(safe, OBEYED);
    assert.doesNotMatch(safe, HIDDEN);
    assert.equal(safeLine(safe), safe);
  });
});

test("filter property: a text is free of all that is obeyed but line feeds and tabs", () => {
  holds(anyText, (text) => {
    const safe = safeText(text);
    assert.doesNotMatch(safe.replace(/[\n\t]/g, ""), OBEYED);
    assert.doesNotMatch(safe, /\p{M}{10}/u);
    assert.equal(safeText(safe), safe);
  });
});

test("filter property: JSON holds the same data, and nothing that is obeyed or not seen", () => {
  const values = fc.oneof(anyText, fc.jsonValue(), fc.dictionary(anyText, anyText));
  holds(values, (value) => {
    const safe = safeJson(value);
    assert.doesNotMatch(safe, OBEYED);
    assert.doesNotMatch(safe, HIDDEN);
    assert.equal(JSON.stringify(JSON.parse(safe)), JSON.stringify(value));
  });
});
