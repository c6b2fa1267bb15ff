/** The line being typed on a terminal: its rows, its cursor, and other widths. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addition, drawingOf, lineSequence, rowsAbove } from "../../lib/cli/console/drawing.ts";
import { displayWidth, rowsOf } from "../../lib/text/width.ts";
import { ScreenModel } from "../support/screen.ts";

const CHARACTERS = ["a", " ", "漢", "👍", "e\u0301", "\t", "\u202e"];
const text = fc.array(fc.constantFrom(...CHARACTERS), { maxLength: 60 })
  .map((characters) => characters.join(""));

test("rows are never wider than the terminal, and the cursor stands where it is", () => {
  fc.assert(fc.property(text, fc.integer({ min: 8, max: 30 }), fc.nat(), (line, columns, at) => {
    const cursor = at % (line.length + 1);
    const { rows, row, column } = rowsOf(line, columns, cursor);
    for (const one of rows) assert.ok(displayWidth(one) <= columns, JSON.stringify(rows));
    assert.ok(displayWidth(rows.at(-1)!) < columns, "there is room for the cursor behind it");
    assert.ok(row < rows.length && column < columns);
    assert.doesNotMatch(rows.join(""), /[\t\u202e]/);
  }));
  assert.deepEqual(rowsOf("12345678", 4), { rows: ["1234", "5678", ""], row: 2, column: 0 });
  assert.deepEqual(rowsOf("123漢", 4, 3), { rows: ["123", "漢"], row: 1, column: 0 });
  assert.deepEqual(
    rowsOf("é23456\t", 7),
    { rows: ["é23456 ", " "], row: 1, column: 1 },
    "a tab of 2",
  );
});

test("what a terminal shows is the line, and above it what was there, at every width", () => {
  const widths = fc.array(fc.integer({ min: 12, max: 60 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(text, fc.nat(), widths, (line, at, [columns, ...others]) => {
      const typed = {
        status: ["bob is typing and this goes on", "3 lines pasted"],
        label: "Lab> ",
        text: line,
        cursor: at % (line.length + 1),
      };
      const screen = new ScreenModel(columns, 100);
      const write = (said: string) => screen.write(said.replaceAll("\n", "\r\n"));
      write("shown before\n");
      let size = { columns, rows: 100 };
      let drawn = drawingOf(typed, size);
      const draw = () =>
        write(drawn.status.map((row) => `${row}\n`).join("") + lineSequence(drawn));
      draw();
      for (const columns of others) {
        screen.resize(columns, 100);
        size = { columns, rows: 100 };
        const up = rowsAbove(drawn, columns, true);
        screen.write(`${up > 0 ? `\x1b[${up}A` : ""}\r\x1b[J`);
        drawn = drawingOf(typed, size);
        draw();
        // The model wraps what was shown before, too.
        assert.match(screen.text.replaceAll("\n", ""), /^shown before/);
        assert.equal(screen.column, drawn.column);
      }
      assert.deepEqual(screen.strange, []);
    }),
    { examples: [["\u202ea\t", 3, [12, 15]], ["a👍\t👍", 5, [18, 18]]] },
  );
});

test("a line longer than the screen is shown around its cursor", () => {
  const typed = { status: [], label: "> ", text: "x".repeat(65_536), cursor: 30_000 };
  const { rows, row } = drawingOf(typed, { columns: 80, rows: 24 });
  assert.equal(rows.length, 23);
  assert.ok(row > 5 && row < 18, `${row}`);
  const end = drawingOf({ ...typed, cursor: 65_536 }, { columns: 80, rows: 24 });
  assert.equal(end.row, 22);
});

test("what is typed at the end is all that is written", () => {
  const size = { columns: 20, rows: 24 };
  const drawing = (text: string, cursor = text.length) =>
    drawingOf({ status: [], label: "> ", text, cursor }, size);
  assert.equal(addition(drawing("hel"), drawing("hello")), "lo");
  assert.equal(addition(drawing("hello"), drawing("hello")), "");
  assert.equal(addition(drawing("hello"), drawing("hell")), undefined);
  assert.equal(addition(drawing("hello", 2), drawing("hello")), undefined);
  assert.equal(addition(drawing("x".repeat(17)), drawing("x".repeat(18))), undefined, "a new row");
});
