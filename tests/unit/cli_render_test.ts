import assert from "node:assert/strict";
import test from "node:test";
import { IdentityChanged, Refusal, Unreachable } from "../../lib/errors.ts";
import {
  COMMAND_WORDS,
  entryFields,
  entryLine,
  explain,
  explainSend,
  failed,
  joinedLine,
  listingFields,
  listingLine,
  memberLine,
  notice,
  PLAIN,
  PROMPT_WORDS,
  qrCode,
  trustedLine,
} from "../../lib/cli/render.ts";
import { People } from "../../lib/cli/people.ts";
import { typedName } from "../../lib/text/names.ts";
import type { GroupEntry } from "../../lib/protocol/batch.ts";
import type { GroupRecord, Listing } from "../../lib/protocol/schema.ts";
import { safeJson } from "../../lib/text/filter.ts";
import { shortKey } from "../../lib/identity/keys.ts";
import { fixedKey } from "./fixtures.ts";
import { displayWidth, rowsOf, truncate, wrap } from "../../lib/text/width.ts";

const AT = new Date(2026, 10, 20, 23, 57, 15, 253).getTime();

function message(text: string, more: object = {}): GroupEntry {
  return {
    group: "Cool Group",
    epoch: "e",
    seq: 7,
    at: AT,
    kind: "message",
    author: "11111111-0000-8000-8000-000000000000",
    name: "alice",
    mid: "m",
    text,
    signature: "valid",
    ...more,
  };
}

test("a message is one line with its local time and its author", () => {
  assert.equal(entryLine(message("text")), "[2026-11-20 23:57:15] alice: text");
});

test("a message shows its group where several are shown", () => {
  assert.equal(
    entryLine(message("text"), undefined, { group: "Lab" }),
    "[Lab] [2026-11-20 23:57:15] alice: text",
  );
});

test("a text of several lines cannot stand where a line begins", () => {
  const lines = entryLine(message("hi\n[2026-11-20 23:57:16] bob: I agree\n* bob left")).split(
    "\n",
  );
  assert.equal(lines.length, 3);
  for (const line of lines.slice(1)) assert.match(line, /^ {4}/);
});

test("a long text cannot stand where a row of the terminal begins", () => {
  for (const padding of [" ", "x", "\u00a0", "\u2800", "漢"]) {
    for (let length = 0; length < 120; length++) {
      const fake = padding.repeat(length) + "[2026-11-20 23:57:16] bob: I agree";
      const shown = entryLine(message(fake), { colour: false, columns: 80 });
      for (const line of shown.split("\n").slice(1)) assert.match(line, /^ {4}/);
      for (const line of shown.split("\n")) {
        const wrapped = line.slice(0, 3) !== "[20" && displayWidth(line) > 80;
        if (wrapped) assert.doesNotMatch(line, /\] bob: I/);
      }
    }
  }
});

test("a name that could be read as part of the line is quoted", () => {
  const name = "alice: yes [2026-11-20 23:57:16] bob";
  assert.equal(entryLine(message("no", { name })), `[2026-11-20 23:57:15] "${name}": no`);
});

const [ALICE, OTHER] = ["1", "2"].map((digit) => `${digit.repeat(8)}-0000-8000-8000-000000000000`);

test("two members of one name are told apart by their short ids, whatever was shown before", () => {
  const people = new People([{ user: ALICE, name: "alice" }, { user: OTHER, name: "Alice" }]);
  const line = (more: Partial<GroupEntry>) => entryLine(message("a", more), PLAIN, { people });
  assert.match(line({}), / alice#11111111: a$/);
  assert.match(line({ author: OTHER, name: "Alice" }), / Alice#22222222: a$/);
  assert.match(line({ author: "3", name: "bob" }), / bob: a$/);
  const body = { user: OTHER, name: "Alice", until: 0 };
  assert.equal(
    line({ kind: "mute", signature: "none", body }),
    "* alice#11111111 muted Alice#22222222",
  );
  assert.equal(
    line({ kind: "unban", signature: "none", body: { user: OTHER } }).slice(-9),
    "#22222222",
  );
  people.apply(message("", { kind: "leave", author: OTHER, name: "Alice" }));
  assert.match(line({}), / alice: a$/);
  assert.match(line({ author: OTHER, name: "Alice" }), / Alice#22222222: a$/, "who has left, too");
});

test("names that look alike are told apart, and who joins under one is said", () => {
  const people = new People([{ user: ALICE, name: "alice" }]);
  const line = (kind: GroupEntry["kind"], name: string, body = {}) => {
    const entry = message("", { kind, author: OTHER, name, body, signature: "none" });
    people.apply(entry);
    return entryLine(entry, PLAIN, { people });
  };
  assert.equal(line("join", "bob"), "* bob joined");
  assert.equal(
    line("rename", "\u0430lice", { before: "bob" }),
    "* bob is now called \u0430lice#22222222 [mixed alphabets]; the name looks like that of " +
      "alice#11111111",
  );
  assert.equal(
    line("join", "a1ice"),
    "* a1ice#22222222 joined; the name looks like that of alice#11111111",
  );
  assert.match(entryLine(message("a"), PLAIN, { people }), / alice#11111111: a$/);
  assert.equal(
    line("rename", "robert", { before: "a1ice" }),
    "* a1ice#22222222 is now called robert",
  );
  assert.match(entryLine(message("a"), PLAIN, { people }), / alice: a$/);
});

test("a name that ends like a short id is quoted", () => {
  assert.match(entryLine(message("a", { name: "bob#22222222" })), / "bob#22222222": a$/);
});

test("a forged message says so", () => {
  assert.match(entryLine(message("x", { signature: "invalid" })), /alice \[NOT VERIFIED\]: x$/);
});

test("entries that are no messages are notices", () => {
  const entry = (kind: GroupEntry["kind"], more = {}) =>
    entryLine(message("", { kind, body: {}, signature: "none", ...more }));
  assert.equal(entry("join"), "* alice joined");
  assert.equal(entry("leave"), "* alice left");
  assert.equal(entry("founded"), "* alice was founded");
  assert.equal(entry("other", { what: "hidden" }), "* alice hidden");
  assert.equal(
    entryLine(message("", { kind: "join" }), undefined, { group: "G" }),
    "[G] * alice joined",
  );
});

test("a name cannot bring an escape sequence into a notice", () => {
  const line = entryLine(message("", { kind: "join", name: "\x1b[2Jx\n* root" }));
  assert.equal(line, '* "\\x1b[2Jx\\x0a* root" joined');
});

test("an entry as JSON has its time in ISO 8601 with ms", () => {
  const { at, seq, group, text } = JSON.parse(safeJson(entryFields(message("a\nb"))));
  assert.deepEqual({ at, seq, group, text }, {
    at: new Date(AT).toISOString(),
    seq: 7,
    group: "Cool Group",
    text: "a\nb",
  });
});

test("what trust did is shown with the keys that people compare", () => {
  const [one, two] = [fixedKey(0), fixedKey(1)].map(({ publicKey }) => publicKey);
  const what = 'the group "Lab"';
  assert.equal(
    trustedLine({ what, before: one, now: one, changed: false }),
    `${what} is the one you know, its key is ${shortKey(one)}`,
  );
  const changed = trustedLine({ what, before: one, now: two, changed: true });
  assert.ok(changed.includes(`had the key ${shortKey(one)}`), changed);
  assert.ok(changed.includes(`known by ${shortKey(two)} from now on`), changed);
  assert.match(trustedLine({ what, before: undefined, now: two, changed: true }), /from now on$/);
  const member = trustedLine({ what, before: one, now: two, changed: true, member: false });
  assert.match(member, /you are no member of the one that answers: join it to talk there$/);
  const unsent = trustedLine({ what, before: one, now: two, changed: true, unsent: 2 });
  assert.match(unsent, /from now on; 2 messages for the former one were not sent, and the other/);
});

test("colour appears only where it is asked for", () => {
  assert.ok(!entryLine(message("x")).includes("\x1b"));
  assert.ok(entryLine(message("x"), { colour: true }).includes("\x1b["));
});

test("lists show state, unread and role where they are not the usual ones", () => {
  const address = "127.0.0.1:5560";
  assert.equal(
    listingLine({ name: "Cool Group", address, state: "live" }),
    `Cool Group - ${address}`,
  );
  assert.equal(listingLine({ name: "A", address, state: "quiet" }), `A - ${address} (quiet)`);
  const record = { address: "10.0.0.2:5560" } as GroupRecord;
  const listing: Listing = {
    ...{ name: "A", address, state: "live", record: { id: "i" } as GroupRecord },
    servers: [{ address: "10.0.0.2:5560", state: "quiet", record }],
  };
  assert.equal(listingLine(listing), `A - ${address}, 10.0.0.2:5560 (quiet)`);
  assert.equal(
    listingLine({ ...listing, state: "quiet" }),
    `A - ${address} (quiet), 10.0.0.2:5560 (quiet)`,
  );
  assert.deepEqual(listingFields(listing), {
    ...{ name: "A", address, state: "live", id: "i" },
    servers: [{ address, state: "live" }, { address: "10.0.0.2:5560", state: "quiet" }],
  });
  const { servers: _, ...alone } = listing;
  assert.deepEqual(listingFields(alone), { name: "A", address, state: "live", id: "i" });
  const group = { id: "i", name: "A", address, cursor: 0, unread: 0, key: "" };
  assert.equal(joinedLine({ ...group, role: "member", state: "live" }), `A - ${address}`);
  assert.equal(
    joinedLine({ ...group, role: "founder", state: "unreachable", unread: 3 }),
    `A - ${address} (3 unread, unreachable, founder)`,
  );
  assert.equal(
    memberLine({ user: ALICE, name: "bob", role: "member", present: true }),
    "bob#11111111 (here)",
  );
});

test("a failure and a notice are one line each, whatever a peer put in them", () => {
  assert.equal(failed("a\nb\x1b[2J"), "FAILED: a\\x0ab\\x1b[2J");
  assert.equal(notice("x\ny"), "* x\\x0ay");
});

test("a failure says the way out", () => {
  const not = new Refusal("not_member", 'Cannot do that in "Cool Group": join it first');
  assert.equal(
    explain(not, PROMPT_WORDS, "Cool Group"),
    'You are not a member of "Cool Group": join_group "Cool Group" first',
  );
  assert.match(explain(not, COMMAND_WORDS, "Lab"), /user(\.ts)? join Lab first$/);
  const gone = new Unreachable("a", "Cannot reach the registry at a: no answer within 2 s");
  assert.match(explain(gone, PROMPT_WORDS), /; check that it runs and try again$/);
});

test("where a user or an invite is not found, no list of groups is offered", () => {
  const group = new Refusal("not_found", "Cannot find that group: no group of that name is listed");
  assert.match(explain(group, PROMPT_WORDS), /; list_groups shows the groups there are$/);
  for (const said of ['Cannot find "bob": no member of Lab has this name', "Cannot unmute: no"]) {
    assert.equal(explain(new Refusal("not_found", said), PROMPT_WORDS), said);
  }
});

test("a message that meets another group than the one that is known is said to be kept", () => {
  const changed = new IdentityChanged("Lab", "Cannot trust");
  assert.match(explainSend(changed, PROMPT_WORDS), /; the message is kept for the group that you/);
  const refused = new Refusal("muted", "Cannot send: muted");
  assert.equal(explainSend(refused, PROMPT_WORDS), "Cannot send: muted");
});

test("a name is quoted for a command where it needs it", () => {
  assert.equal(typedName("Lab"), "Lab");
  assert.equal(typedName("Cool Group"), '"Cool Group"');
  assert.equal(typedName('a"b'), '"a\\"b"');
});

test("width counts columns and not characters", () => {
  assert.equal(displayWidth("abc"), 3);
  assert.equal(displayWidth("漢字"), 4);
  assert.equal(displayWidth("👨‍👩‍👧"), 2);
  assert.equal(displayWidth("e\u0301"), 1);
  assert.equal(displayWidth("🇩🇪❤️"), 4);
});

test("rows break between words and keep long words whole", () => {
  assert.deepEqual(wrap("aaa bbb ccc", 12, 0, 2), ["aaa bbb ccc"]);
  assert.deepEqual(wrap("aaaa bbbb cccc dddd", 14, 4, 4), ["aaaa bbbb", "cccc dddd"]);
  assert.deepEqual(wrap("see http://example.org/a/long/path ok", 16, 0, 2), [
    "see ",
    "http://example.org/a/long/path",
    " ok",
  ]);
  assert.deepEqual(wrap("", 20, 5, 4), [""]);
});

test("rows of a typed line follow the terminal's own wrapping", () => {
  assert.equal(rowsOf("", 10).rows.length, 1);
  assert.equal(rowsOf("123456789", 10).rows.length, 1);
  assert.equal(rowsOf("1234567890", 10).rows.length, 2);
  assert.equal(rowsOf("12345678901", 10).rows.length, 2);
  assert.equal(rowsOf("123456789漢", 10).rows.length, 2);
});

test("a status line is cut to its columns", () => {
  assert.equal(truncate("abcdef", 6), "abcdef");
  assert.equal(truncate("abcdefg", 6), "abcde…");
  assert.equal(truncate("漢字漢字", 6), "漢字…");
});

test("a topic that is taken away is said to be", () => {
  const of = (topic: string) =>
    entryLine(message("", { kind: "topic", text: undefined, body: { topic }, signature: "none" }));
  assert.equal(of("things"), "* alice set the topic: things");
  assert.equal(of(""), "* alice took the topic away");
});

test("a QR code is shown where a terminal has room for it, 80 by 24 with an invite", async () => {
  const link = `zgroup://192.168.100.197:65535/Cool%20Group/${"A".repeat(22)}/${"b".repeat(22)}/` +
    "mx22blt3/1e31bb11";
  const code = await qrCode(link, { colour: false, columns: 80, rows: 24 });
  assert.ok(typeof code === "string");
  const lines = code.split("\n");
  assert.ok(
    lines.length < 24 && lines.every((line) => displayWidth(line) === displayWidth(lines[0])),
  );
  assert.equal(await qrCode(link, PLAIN), code, "a file has room for all");
  for (const room of [{ columns: 80, rows: lines.length }, { columns: 40, rows: 60 }]) {
    const none = await qrCode(link, { colour: false, ...room });
    assert.ok(typeof none === "object");
    assert.match(
      none.problem,
      /^the QR code needs \d+ columns and \d+ rows, and this terminal has/,
    );
  }
});
