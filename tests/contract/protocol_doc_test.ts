/** PROTOCOL.md is the twin of the schema: every op, field, reply, code and limit stands in it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { CODES } from "../../lib/errors.ts";
import { ALL_BYTES, ALL_MESSAGES } from "../../lib/group/reading.ts";
import * as limits from "../../lib/protocol/limits.ts";
import { ACTIONS } from "../../lib/protocol/batch.ts";
import {
  GROUP_OPS,
  GROUP_REPLIES,
  REGISTRY_OPS,
  REGISTRY_REPLIES,
} from "../../lib/protocol/schema.ts";

const text = readFileSync(new URL("../../PROTOCOL.md", import.meta.url), "utf8");

/** Limits that only one side knows, so that the wire does not show them. */
const UNSEEN = new Set([
  "MAX_MEMBERS",
  "READ_UNITS",
  "MID_AHEAD",
  "QUIET_AFTER",
  "GONE_AFTER",
  "RENEW_EVERY",
  "RECORD_LIFE",
  "TICKET_LIFE",
  "MAX_TEXT_UNITS",
]);

describe("PROTOCOL.md", () => {
  const tables: Record<string, [object, Record<string, unknown>]> = {
    Group: [GROUP_OPS, GROUP_REPLIES],
    Registry: [REGISTRY_OPS, REGISTRY_REPLIES],
  };
  for (const [name, [table, replies]] of Object.entries(tables)) {
    const section = text.split(`\n## ${name}\n`)[1]?.split("\n## ")[0] ?? "";
    for (const [op, schema] of Object.entries(table)) {
      test(`names ${name}.${op}, its fields and those of its reply`, () => {
        const rows = section.match(new RegExp(`^\\| \`${op}\` +\\|.*$`, "gm")) ?? [];
        assert.equal(rows.length, 1, `${op} has ${rows.length} rows`);
        for (const field of Object.keys((schema as { entries: object }).entries)) {
          assert.ok(rows[0].includes(`\`${field}\``), `field ${field} of ${op} is missing`);
        }
        const ok = rows[0].split("|").at(-2)!;
        for (const field of Object.keys((replies[op] as { entries: object }).entries)) {
          assert.match(ok, new RegExp(`\\b${field}\\b`), `${field} of ${op}'s reply is missing`);
        }
      });
    }
  }

  test("names every code once in its table, and no other", () => {
    const table = text.slice(text.indexOf("## Codes"), text.indexOf("## Dialect"));
    const named = [...table.matchAll(/^\| `(\w+)` +\|/gm)].map(([, code]) => code);
    assert.deepEqual(named.toSorted(), [...CODES].toSorted());
  });

  test("names every action", () => {
    for (const action of ACTIONS) assert.ok(text.includes(`\`${action}\``), action);
  });

  test("names how much a dialect's user who cannot page gets", () => {
    const section = text.slice(text.indexOf("\n## Dialect")).replaceAll("\n", " ");
    const [messages, bytes] = [ALL_MESSAGES, ALL_BYTES].map((n) => n.toLocaleString("en-US"));
    assert.match(section, new RegExp(`newest ${messages} messages .* ${bytes} bytes`));
  });

  test("names every limit of the wire", () => {
    for (const [name, value] of Object.entries(limits)) {
      if (typeof value !== "number" || UNSEEN.has(name)) continue;
      const shown = [String(value), value.toLocaleString("en-US")];
      assert.ok(shown.some((number) => text.includes(number)), `${name} = ${value} is missing`);
    }
  });
});
