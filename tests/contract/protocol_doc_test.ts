/**
 * PROTOCOL.md is the twin of the schema: every op, field, reply and code stands in it. Every limit
 * stands in PROTOCOL.md or SECURITY.md in a sentence of its own, with the number that the code has.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as v from "valibot";
import { CODES } from "../../lib/errors.ts";
import { DEFAULT_RATES } from "../../lib/group/limits.ts";
import { ALL_BYTES, ALL_MESSAGES } from "../../lib/group/reading.ts";
import { ACTIONS } from "../../lib/protocol/batch.ts";
import * as limits from "../../lib/protocol/limits.ts";
import {
  GROUP_OPS,
  GROUP_REPLIES,
  REGISTRY_OPS,
  REGISTRY_REPLIES,
  SERVER_OPS,
  SERVER_REPLIES,
} from "../../lib/protocol/schema.ts";
import { NEW_NAMES, REGISTRY_BOUNDS, REQUESTS } from "../../lib/registry/bounds.ts";
import { STRANGERS_SHARE } from "../../lib/session/budget.ts";
import { MAX_ANSWER, TICKET_BYTES } from "../../lib/session/packet.ts";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { SOURCES } from "../runtimes.ts";

const text = readFileSync(join(SOURCES, "PROTOCOL.md"), "utf8");

describe("PROTOCOL.md", () => {
  const tables: Record<string, [object, Record<string, unknown>]> = {
    Group: [GROUP_OPS, GROUP_REPLIES],
    Registry: [REGISTRY_OPS, REGISTRY_REPLIES],
    Servers: [SERVER_OPS, SERVER_REPLIES],
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
});

const flat = (markdown: string) => markdown.replace(/\s+/g, " ");
const DOCS = {
  protocol: flat(text),
  security: flat(readFileSync(join(SOURCES, "SECURITY.md"), "utf8")),
};

/** A constant that its file keeps to itself: a number, a product of numbers, or one of a list. */
function kept(file: string, name: string, place = 0): number {
  const source = readFileSync(join(SOURCES, "lib", file), "utf8");
  const found = new RegExp(`\\b${name}\\b[^=\\n]*(?: = |: )\\[?([\\d_*., ]+)`).exec(source);
  assert.ok(found, `${name} is not in ${file}`);
  const numbers = found[1].replaceAll("_", "").split(",").filter((part) => /\d/.test(part));
  const factors = numbers[place].split("*").filter((part) => part.trim() !== "");
  return factors.reduce((product, part) => product * Number(part), 1);
}

const many = (n: number) => n.toLocaleString("en-US");
const seconds = (ms: number) => `${ms / 1_000} s`;
const once = (ms: number) => ms === 1_000 ? "once a second" : `once in ${seconds(ms)}`;
const days = (ms: number) => ms === 86_400_000 ? "a day" : `${ms / 86_400_000} days`;
const hours = (ms: number) => ms === 3_600_000 ? "an hour" : `${ms / 3_600_000} hours`;
const mib = (bytes: number) => `${bytes / 1_048_576} MiB`;
const kib = (bytes: number) => `${bytes / 1_024} KiB`;
const share = (part: number) =>
  ({ 0.2: "a fifth", 0.25: "a quarter", 0.75: "three quarters" })[part] ?? String(part);

const { stranger, known } = DEFAULT_BOUNDS;
const registry = REGISTRY_BOUNDS.known;
const invite = v.parse(GROUP_OPS.invite, {});

/** A row of SECURITY.md's table of bounds. */
const cells = (what: string, numbers: readonly string[]) => `| ${what} | ${numbers.join(" | ")} |`;

/** The sentence of every limit of `limits.ts`, in PROTOCOL.md. */
const LIMITS: Readonly<Record<string, readonly string[]>> = {
  MAX_FRAME: [`one JSON object in UTF-8, at most ${many(limits.MAX_FRAME)} bytes`],
  MAX_PACKET: [`before its proof in brackets: frame ${many(limits.MAX_PACKET)} bytes`],
  MAX_BATCH_BYTES: [`the request at most ${many(limits.MAX_BATCH_BYTES)} bytes`],
  MAX_MESSAGES: [
    `\`messages\`: 1 to ${many(limits.MAX_MESSAGES)} of \`[mid, text]\``,
    `A batch is 1 to ${many(limits.MAX_MESSAGES)} consecutive entries`,
  ],
  MAX_TEXT: [`\`text\` is 1 to ${many(limits.MAX_TEXT)} bytes of UTF-8`],
  MAX_READ: [
    `\`limit\`=${limits.MAX_READ} (1 to ${many(limits.MAX_READ)}), \`last\``,
    `one of ${many(limits.MAX_READ)} ends with a whole batch`,
  ],
  READ_UNITS: [`at ${many(limits.READ_UNITS)} UTF-16 units of JSON it stops growing`],
  LIVE_BYTES: [`in the order of the log, up to ${many(limits.LIVE_BYTES)} bytes in one frame`],
  MAX_LIST: [`\`limit\`=${limits.MAX_LIST} (1 to ${many(limits.MAX_LIST)}) | \`{groups`],
  MAX_MEMBERS: [`**members.** At most ${many(limits.MAX_MEMBERS)} a page`],
  MAX_INVITES_PAGE: [`At most ${many(limits.MAX_INVITES_PAGE)} invites a page`],
  MAX_TIME: [
    `Times are ms since 1970, whole numbers, at most ${many(limits.MAX_TIME)} (the year 9999)`,
  ],
  MAX_SERVERS: [
    `**Several servers of one group** (at most ${limits.MAX_SERVERS})`,
    `the addresses of all servers of the group, at most ${limits.MAX_SERVERS};`,
  ],
  MID_SPAN: [`mids increase and lie at most ${many(limits.MID_SPAN)} ms apart`],
  MID_AHEAD: [`none more than ${days(limits.MID_AHEAD)} ahead of the group's clock`],
  QUIET_AFTER: [`A lease is \`quiet\` after ${seconds(limits.QUIET_AFTER)} and`],
  GONE_AFTER: [`and gone after ${seconds(limits.GONE_AFTER)}.`],
  RENEW_EVERY: [`A group registers ${once(limits.RENEW_EVERY)}.`],
  TYPING_FOR: [`a hint, forget it after ${many(limits.TYPING_FOR)} ms`],
  FEED_SILENCE: [`Nothing for ${many(limits.FEED_SILENCE)} ms: subscribe again`],
  PRESENT_FOR: [`connection that was heard within ${many(limits.PRESENT_FOR)} ms`],
  RECORD_LIFE: [`\`expires\` is at most ${hours(limits.RECORD_LIFE)} ahead`],
  CLOCK_SLACK: [`clocks may differ by ${many(limits.CLOCK_SLACK)} ms`],
  TICKET_LIFE: [`a key there within the last ${days(limits.TICKET_LIFE)}.`],
};

/** Sentences with the bounds that one side keeps. */
const BOUNDS: Readonly<Record<keyof typeof DOCS, readonly string[]>> = {
  protocol: [
    `PING to who was silent for ${
      kept("transport/zmtp/pulse.ts", "PING_AFTER")
    } s and cuts after ` +
    `${kept("transport/zmtp/pulse.ts", "SILENCE")} s`,
    `frame ${many(known.frame)} bytes (${
      many(stranger.frame)
    }), message one frame more than that ` +
    `(${many(stranger.message)}), ${DEFAULT_BOUNDS.frames} frames, commands ` +
    `${many(DEFAULT_BOUNDS.command)} bytes, ${many(known.rate)} messages a second ` +
    `(${stranger.rate}), ${known.requests} requests under way (${stranger.requests}), ` +
    `${mib(known.out)} that wait to be read (${kib(stranger.out)}), a proof within ` +
    `${seconds(DEFAULT_BOUNDS.admitWithin)}.`,
    `One IP has at most ${
      share(DEFAULT_BOUNDS.connectionsPerIp / DEFAULT_BOUNDS.connections)
    } of a server's connections`,
    `then nothing or a ticket of ${TICKET_BYTES} bytes`,
    `given by \`prove\` (${Math.ceil(TICKET_BYTES * 4 / 3)} characters of base64url)`,
    `the sealed payload: JSON, at most ${many(MAX_ANSWER)} bytes`,
    `together take at most ${share(STRANGERS_SHARE)} of a core`,
    `at most ${kept("protocol/codec.ts", "MAX_DEPTH")} levels deep, lists and objects of at most ` +
    `${many(kept("protocol/codec.ts", "MAX_WIDTH"))} items, at all levels together ` +
    `${many(kept("protocol/codec.ts", "MAX_ITEMS"))}, in a request ` +
    `${many(kept("protocol/codec.ts", "MAX_REQUEST_ITEMS", 1))}.`,
    `until that key was not seen for ${
      kept("registry/taken_names.ts", "NAME_LIFE") === 366 ? "a year" : "another time"
    }.`,
    `\`uses\`=${invite.uses}, \`for\`=${invite.for} (ms), \`role\`="${invite.role}"`,
    `\`topic\` (${kept("protocol/schema.ts", "MAX_TOPIC")} units)`,
    `${DEFAULT_RATES.messages} messages a second with a burst of ${many(DEFAULT_RATES.burst)}, ` +
    `${DEFAULT_RATES.reads} reads, ${DEFAULT_RATES.others} others`,
    `By connection: ${DEFAULT_RATES.others} \`prove\` and \`ping\` a second`,
    `By user: ${kept("group/presence.ts", "MAX_CONNECTIONS")} connections`,
    `counts as ${kept("group/operations.ts", "COMING_AND_GOING")} requests`,
    `\`invites\`, and \`revoke\` of all, as ${kept("group/operations.ts", "ALL_INVITES")}`,
    `joins, renames and leaves may be told up to ${
      kept("group/feed.ts", "MAX_WAIT") === 2_000 ? "two seconds" : "another time"
    } late`,
    `At most the newest ${many(ALL_MESSAGES)} messages come back, and of them as many as ` +
    `${many(ALL_BYTES)} bytes of the reply hold.`,
    `longer than ${many(kept("user/pages.ts", "MOST"))} entries, ` +
    `${many(kept("user/pages.ts", "MAX_PAGES"))} pages or ` +
    `${seconds(kept("user/pages.ts", "WITHIN"))}`,
  ],
  security: [
    `members have at most ${many(kept("user/pages.ts", "MOST"))} entries, ` +
    `${many(kept("user/pages.ts", "MAX_PAGES"))} pages and ` +
    `${seconds(kept("user/pages.ts", "WITHIN"))};`,
    `\`total\` is ${mib(DEFAULT_BOUNDS.total)} for a group (\`--max-memory\`), ` +
    `${mib(REGISTRY_BOUNDS.total)} for a registry`,
    cells("longest frame, bytes", [stranger.frame, known.frame, registry.frame].map(many)),
    cells("longest message, bytes", [stranger.message, known.message, registry.message].map(many)),
    cells("waits to go out, bytes: cut", [stranger.out, known.out, registry.out].map(many)),
    cells("the same: feed is dropped", [many(stranger.drop), many(known.drop), "–"]),
    cells("requests under way", [stranger.requests, known.requests, registry.requests].map(many)),
    cells(
      "messages and commands a second",
      [stranger.rate, known.rate, registry.rate].map(many),
    ),
    cells("bytes a second", [many(stranger.bytes), mib(known.bytes), mib(registry.bytes)]),
    cells(
      "frames of a message; of a command, bytes",
      [DEFAULT_BOUNDS, DEFAULT_BOUNDS, REGISTRY_BOUNDS].map(({ frames, command }) =>
        `${frames}; ${many(command)}`
      ),
    ),
    `A stranger proves itself, or asks, within ${seconds(DEFAULT_BOUNDS.admitWithin)}.`,
    `the descriptor limit less ${kept("run/descriptors.ts", "OWN")};`,
    `of strangers ${many(DEFAULT_BOUNDS.strangers)}, from one IP ` +
    `${many(DEFAULT_BOUNDS.strangersPerIp)}, and ${
      many(DEFAULT_BOUNDS.connectsPerIp)
    } made a second`,
    `none that has ${mib(kept("session/pages.ts", "MOST_WAITING"))} waiting`,
    `hellos that wait: ${many(kept("session/handshakes.ts", "STRANGERS"))} of strangers ` +
    `(${many(kept("session/handshakes.ts", "STRANGERS_PER_IP"))} of one IP), ` +
    `${many(kept("session/handshakes.ts", "TICKETED"))} with a ticket`,
    `${mib(kept("group/feed.ts", "MAX_WAITING"))} of entries that wait for the feed`,
    `${kept("group/presence.ts", "MAX_CONNECTIONS")} connections of a user; budgets of ` +
    `${many(kept("structures/buckets.ts", "MOST"))} identities or IPs`,
    `${many(kept("group/decide/invites.ts", "MAX_INVITES"))} open invites`,
    `a registry: ${many(kept("registry/state.ts", "leases"))} leases, ` +
    `${many(kept("registry/state.ts", "perIp"))} of one IP, ` +
    `${many(kept("registry/state.ts", "keyless"))} without a key (on disk); ` +
    `${many(kept("registry/state.ts", "names"))} names, ` +
    `${kept("registry/state.ts", "namesPerKey")} of a key, ${many(NEW_NAMES.burst)} of one IP at ` +
    `once and one in ${1 / NEW_NAMES.rate} s more. ${REQUESTS.rate} requests a second of one IP, ` +
    `${many(REQUESTS.burst)} at once. Of the servers of one group ${limits.MAX_SERVERS} leases, ` +
    `and the versions seen last of ${
      kept("registry/server_versions.ts", "MOST_OF_NAME")
    }, of all ` +
    `groups ${many(kept("registry/server_versions.ts", "MOST", 1))}.`,
    `Handshakes of strangers take ${share(STRANGERS_SHARE)} of a core together`,
    `Where more than ${kept("group/feed.ts", "FEW")} follow`,
  ],
};

test("every limit of the wire stands in PROTOCOL.md, in a sentence of its own", () => {
  const named = Object.keys(limits).filter((name) =>
    typeof limits[name as keyof typeof limits] === "number"
  );
  assert.deepEqual(Object.keys(LIMITS).toSorted(), named.toSorted());
  for (const [name, sentences] of Object.entries(LIMITS)) {
    for (const sentence of sentences) {
      assert.ok(
        DOCS.protocol.includes(sentence),
        `${name}: PROTOCOL.md does not say "${sentence}"`,
      );
    }
  }
});

for (const [doc, sentences] of Object.entries(BOUNDS)) {
  test(`the bounds in ${doc.toUpperCase()}.md are those of the code`, () => {
    for (const sentence of sentences) {
      assert.ok(DOCS[doc as keyof typeof DOCS].includes(sentence), `it does not say "${sentence}"`);
    }
  });
}
