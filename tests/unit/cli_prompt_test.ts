/** What a prompt decides without a terminal: who is mentioned, what rings, what is unread, whose turn it is. */

import assert from "node:assert/strict";
import test from "node:test";
import { Alerts } from "../../lib/cli/console/alert.ts";
import { completeMention, mentions } from "../../lib/cli/console/mentions.ts";
import { type Turn, Turns } from "../../lib/cli/console/turns.ts";
import { promptLabel, View } from "../../lib/cli/console/views.ts";
import type { GroupEntry } from "../../lib/protocol/batch.ts";
import { formatDay } from "../../lib/text/time.ts";

const ann = { user: "1a2b3c4d-0000-8000-8000-000000000000", name: "Ann" };
const annLee = { user: "22222222-0000-8000-8000-000000000000", name: "Ann Lee" };
const twin = { user: "33333333-0000-8000-8000-000000000000", name: "ann" };

test("a mention is a name or a short id behind @, whole and in any case", () => {
  const members = () => [ann, annLee, twin];
  const means = (text: string) => mentions(text, ann, members);
  for (const text of ["@Ann", "hi @ann!", "(@ANN)", "@ann's", "@ann#1a2b3c4d", "x @#1a2b3c4d y"]) {
    assert.ok(means(text), text);
  }
  for (
    const text of ["Ann", "@Anna", "@Ann_2", "mail@ann.org", "@ann#33333333", "@#1a2b3c4", "@ ann"]
  ) assert.ok(!means(text), text);
  assert.ok(!means("@Ann Lee, please"), "the longer name is meant");
  assert.ok(means("@Ann Lee and @ann"));
  assert.ok(mentions("@ann lee?", annLee, members));
  assert.ok(mentions("@漢字 です", { ...ann, name: "漢字" }));
});

test("Tab completes what stands behind @, with the id where several have the name", () => {
  const members = [ann, annLee, twin];
  assert.deepEqual(completeMention("hello @ann l", members), [["@Ann Lee "], "@ann l"]);
  assert.deepEqual(completeMention("@an", members), [
    ["@Ann Lee ", "@Ann#1a2b3c4d ", "@ann#33333333 "],
    "@an",
  ]);
  assert.equal(completeMention("mail@an", members), undefined);
  assert.equal(completeMention("@zoe", members), undefined);
  assert.equal(completeMention("no one", members), undefined);
});

test("only terminals that are known to tell the desktop are asked to, others ring", () => {
  const rings = (env: Record<string, string>) => new Alerts(env).ring("Lab, bob: hi; \x1b]0;x\x07");
  const notice = "Lab, bob: hi; \\x1b]0;x\\x07";
  const nine = `\x07\x1b]9;${notice}\x07`;
  for (
    const [env, expected] of [
      [{ TERM: "xterm-256color" }, "\x07"],
      [{ TERM: "dumb", TERM_PROGRAM: "iTerm.app" }, "\x07"],
      [{ TERM_PROGRAM: "iTerm.app" }, nine],
      [{ TERM_PROGRAM: "WezTerm" }, nine],
      [{ TERM: "xterm-kitty" }, nine],
      [{ TERM: "foot" }, `\x07\x1b]777;notify;zgroup;${notice.replaceAll(";", ",")}\x07`],
      [{ TERM: "tmux-256color", TMUX: "/tmp/x" }, "\x07"],
      [{ TERM: "screen", KITTY_WINDOW_ID: "1" }, "\x07"],
      [
        { TERM: "tmux-256color", TMUX: "/tmp/x", KITTY_WINDOW_ID: "1" },
        `\x07\x1bPtmux;\x1b\x1b]9;${notice}\x07\x1b\\`,
      ],
    ] as const
  ) assert.equal(rings(env), expected, JSON.stringify(env));
});

test("a flood of mentions rings once in two seconds", () => {
  let now = 0;
  const alerts = new Alerts({}, () => now);
  let rung = 0;
  for (; now < 10_000; now += 10) if (alerts.ring("x") !== undefined) rung++;
  assert.equal(rung, 5);
});

function entry(seq: number, epoch = "e"): GroupEntry {
  const { user: author, name } = annLee;
  const at = { group: "Lab", epoch, seq, at: 0, author, name };
  return { ...at, kind: "message", mid: `m${seq}`, text: `${seq}`, signature: "valid" };
}

test("a view counts what was not shown, also what it does not hold, until it is read", () => {
  const judge = ({ seq }: GroupEntry) => ({ isUnread: true, isMention: seq === 12 });
  const view = new View();
  view.load([10, 11, 12].map((seq) => entry(seq)), 7, judge);
  assert.deepEqual([view.unread, view.mentions, view.fresh, view.isNew], [7, 1, 7, false]);
  assert.equal(view.read()?.seq, 12);
  assert.deepEqual([view.unread, view.mentions, view.fresh], [0, 0, 0]);
  view.add(entry(13), judge(entry(13)));
  assert.deepEqual([view.unread, view.fresh, view.isFresh(entry(12))], [1, 1, false]);
  for (let seq = 1; seq <= 1_000; seq++) view.add(entry(seq, "f"), judge(entry(seq)));
  assert.ok(view.entries.length <= 200, "it is bounded");
  assert.ok(view.entries.every(({ epoch }) => epoch === "f"), "another history begins again");
  const first = new View();
  first.load([entry(1), entry(2)], 2, judge);
  assert.ok(first.isNew);
});

test("the prompt names where something is unread, and counts where there is no room", () => {
  const ops = { name: "Ops", unread: 3, mentions: 0 };
  const lobby = { name: "Lobby", unread: 4, mentions: 1 };
  const quiet = { name: "Quiet", unread: 0, mentions: 0 };
  assert.equal(promptLabel("Lab", [quiet]), "Lab> ");
  assert.equal(promptLabel(undefined, []), "zgroup> ");
  assert.equal(promptLabel("Lab", [ops, lobby, quiet]), "Lab (Ops 3, Lobby @1)> ");
  assert.equal(promptLabel("Lab", [ops, lobby], 40), "Lab (2 groups @1)> ");
  assert.equal(promptLabel("Lab", [ops, ops], 20), "Lab (2 groups 6)> ");
});

test("a day is named with its date", () => {
  assert.equal(formatDay(new Date(2026, 10, 22, 23, 59).getTime()), "Sun 22 Nov 2026");
});

test("what asks a server waits its turn, a text does not, and both wait for who goes elsewhere", async () => {
  const began: string[] = [];
  const ends = new Map<string, (ok: boolean) => void>();
  const turns = new Turns({
    run: ({ lines }: Turn) => {
      began.push(lines[0]);
      return new Promise((end) => ends.set(lines[0], end));
    },
    changed: () => {},
  });
  const end = async (line: string, ok = true) => {
    ends.get(line)!(ok);
    await new Promise((done) => setImmediate(done));
  };
  turns.take(["members"], "in turn");
  turns.take(["list"], "in turn");
  turns.take(["text"], "at once");
  assert.deepEqual(began, ["members", "text"]);
  turns.take(["join"], "first");
  turns.take(["text for there"], "at once");
  assert.deepEqual(turns.waiting, ["list", "join", "text for there"]);
  await end("members");
  await end("list", false);
  assert.deepEqual(began, ["members", "text", "list", "join"]);
  await end("join", false);
  assert.equal(began.at(-1), "text for there");
  await end("text for there");
  turns.take(["more"], "at once");
  assert.equal(began.at(-1), "more");
  assert.deepEqual(turns.waiting, []);
});
