/** The rows that a pager holds of a history, and which long pastes are asked about. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HELD, marked, PageView } from "../../lib/cli/console/page_view.ts";
import { Pager } from "../../lib/cli/console/pager.ts";
import { pasteQuestion, tooLong, withWholeLink } from "../../lib/cli/console/paste.ts";
import type { GroupEntry } from "../../lib/protocol/batch.ts";
import type { Style } from "../../lib/cli/render.ts";

interface Entry {
  readonly seq: number;
}

const entries = (from: number, to: number): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i }));

/** Each third entry takes two rows. */
const view = () => {
  const view = new PageView<Entry>(({ seq }) =>
    seq % 3 ? `entry ${seq}` : `entry ${seq}\n    more`
  );
  view.resize(20, 10);
  return view;
};
const seen = (view: PageView<Entry>) => view.visible.map(({ text }) => text);

test("a page shows the end, goes up and down, and stays where it is when more is loaded", () => {
  const page = view();
  page.addNewer(entries(101, 120));
  page.toEnd();
  assert.equal(seen(page).at(-1), "    more");
  assert.equal(page.below, 0);
  assert.equal(page.scroll(1), false);
  assert.equal(page.scroll(-10), true);
  const before = seen(page);
  page.addOlder(entries(51, 100));
  page.addNewer(entries(121, 130));
  assert.deepEqual(seen(page), before);
  page.toStart();
  assert.equal(seen(page)[0], "entry 51");
  page.addOlder(entries(40, 60));
  assert.equal(page.first?.seq, 40, "what is there already is left out");
});

test("a page at the end goes on with what comes", () => {
  const page = view();
  page.addNewer(entries(1, 20));
  page.toEnd();
  page.addNewer(entries(21, 22), true);
  assert.equal(seen(page).at(-1), "entry 22");
  page.scroll(-3);
  const before = seen(page);
  page.addNewer(entries(23, 30), true);
  assert.deepEqual(seen(page), before);
});

test("a page holds so many entries, whichever way one goes, and never loses what is shown", () => {
  const page = view();
  page.addNewer(entries(50_001, 50_200));
  page.toEnd();
  for (let to = 50_000; to > 40_000; to -= 200) {
    page.addOlder(entries(to - 199, to));
    page.toStart();
    assert.ok(page.last!.seq - page.first!.seq < HELD + 200);
    assert.equal(seen(page)[0], `entry ${to - 199}`);
  }
  for (let from = page.last!.seq + 1; from < 50_000; from += 200) {
    page.addNewer(entries(from, from + 199));
    page.toEnd();
    assert.ok(page.last!.seq - page.first!.seq < HELD + 200);
    assert.equal(page.visible.at(-1)!.entry.seq, from + 199);
  }
});

test("a page of another width stands at the same entry", () => {
  const page = new PageView<Entry>(({ seq }) => `entry ${seq} ${"x".repeat(30)}`);
  page.resize(80, 10);
  page.addNewer(entries(1, 100));
  page.scroll(50);
  page.resize(20, 5);
  assert.equal(seen(page)[0], `entry 51 ${"x".repeat(11)}`);
  assert.ok(seen(page).every((row) => row.length <= 20));
  page.toEnd();
  page.resize(80, 10);
  assert.match(seen(page).at(-1)!, /^entry 100 /);
});

test("words are found in any case, older and newer ones, also after more was loaded", () => {
  const page = view();
  page.addNewer(entries(200, 300));
  page.toEnd();
  page.searchFromHere();
  assert.equal(page.find("ENTRY 25", -1), true);
  assert.ok(seen(page).includes("entry 259"));
  page.addOlder(entries(100, 199));
  assert.equal(page.find("entry 25", -1), true);
  assert.equal(page.find("entry 258", -1), false);
  assert.equal(page.find("entry 259", 1), true);
  assert.equal(page.find("no such", -1), false);
  assert.equal(marked("\x1b[1mbob\x1b[22m: Hi (a)", "(A)"), "bob: Hi \x1b[7m(a)\x1b[27m");
  assert.equal(marked("\x1b[1mbob\x1b[22m", "x"), "\x1b[1mbob\x1b[22m");
});

test("Page Down at the end leaves, though it is pressed while what is newer is asked for", async () => {
  for (const [comes, leaves] of [[[], true], [entries(4, 4), false]] as const) {
    const held = [entries(1, 3)];
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<readonly Entry[]>();
    const source = {
      title: "Lab",
      async *read({ last }: { last?: boolean }) {
        if (last) return yield* (held.shift() ?? []) as GroupEntry[];
        asked.resolve();
        yield* await answer.promise as GroupEntry[];
      },
      line: ({ seq }: Entry) => `entry ${seq}`,
    };
    let [shown, written] = [() => {}, ""];
    const write = (text: string) => {
      written += text;
      shown();
    };
    const shows = (what: string) =>
      new Promise<void>((resolve) => {
        shown = () => written.includes(what) && resolve();
        shown();
      });
    const size = { columns: 80, rows: 10 };
    const whole = { takeWhole: () => {}, giveBack: () => {} };
    const terminal = { write, size, stop: () => "", ...whole };
    const pager = new Pager(source, terminal, { colour: false } as Style);
    await shows("q back, Page Up/Down");
    // A second one comes while the first is asked for, so that there may be another.
    pager.arrived();
    await asked.promise;
    pager.arrived();
    pager.press({ name: "page-down" });
    answer.resolve(comes);
    if (!leaves) {
      await shows("entry 4");
      pager.press({ name: "page-down" });
    }
    await pager.left;
  }
});

test("a paste is asked about above 50 lines or 8 KB, and refused above 64 KB", () => {
  const lines = (count: number, length = 10) => Array(count).fill("x".repeat(length));
  assert.equal(pasteQuestion(lines(50), "Lab"), undefined);
  assert.equal(
    pasteQuestion(lines(51), "Lab"),
    "Send 51 lines (1 KB) as one message to Lab (y/N)? ",
  );
  assert.equal(
    pasteQuestion(lines(120, 75), "Lab"),
    "Send 120 lines (9 KB) as one message to Lab (y/N)? ",
  );
  assert.equal(pasteQuestion(lines(1, 9_000), "Lab"), undefined, "one line is seen before Enter");
  assert.equal(tooLong(lines(1, 65_536)), undefined);
  assert.match(tooLong(lines(1, 65_537))!, /^Cannot send 65 KB as one message: 65,536 bytes is/);
  assert.match(tooLong(["漢".repeat(21_846)])!, /^Cannot send 65 KB/);
});

test("a link that was cut into lines is one again behind its command, and nothing else is", () => {
  const link = ["zgroup://127.0.0.1:5560/Lab/ab", "cd", "ef/0"];
  const whole = "/join zgroup://127.0.0.1:5560/Lab/abcdef/0";
  assert.deepEqual(withWholeLink([`/join ${link[0]}`, `  ${link[1]}`, link[2], ""]), [whole]);
  assert.deepEqual(withWholeLink(["/join", ...link]), [whole]);
  for (const lines of [["/join", "Lab"], ["/join", "see:", ...link], [...link, "and more"]]) {
    assert.deepEqual(withWholeLink(lines), lines);
  }
});
