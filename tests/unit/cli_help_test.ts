/** Pages of help: each fits a terminal of 80 columns and 24 rows, and all commands are on them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { promptHelp } from "../../lib/cli/commands/show.ts";
import { ONCE_COMMANDS, PROMPT_COMMANDS } from "../../lib/cli/commands/table.ts";
import { COPY_ENTRIES } from "../../lib/cli/copies.ts";
import { ABOUT as GROUP } from "../../lib/cli/group_program.ts";
import { FAMILIES, PAGE_COLUMNS, PAGE_ROWS } from "../../lib/cli/help.ts";
import { onceNames } from "../../lib/cli/once.ts";
import { ABOUT as REGISTRY } from "../../lib/cli/registry_program.ts";
import { PLAIN } from "../../lib/cli/render.ts";
import { ABOUT as USER, PLACE } from "../../lib/cli/user_program.ts";
import { displayWidth } from "../../lib/text/width.ts";

const families = Object.keys(FAMILIES);
const prompt = (word: string) => promptHelp(PROMPT_COMMANDS, PLAIN, word);

/** Every page that there is, by how one comes to it. */
function* pages(): Generator<[string, readonly string[]]> {
  yield ["help at the prompt", prompt("")];
  for (const { names: [name] } of PROMPT_COMMANDS) yield [`/${name} --help`, prompt(name)];
  for (const family of new Set(PROMPT_COMMANDS.map(({ family }) => family))) {
    yield [`help ${family} at the prompt`, prompt(family)];
  }
  yield ["user.ts --help", USER.page([])];
  for (const family of families) yield [`user.ts help ${family}`, USER.page(["help", family])];
  for (const command of ONCE_COMMANDS) {
    const [name] = onceNames(command);
    yield [`user.ts ${name} --help`, USER.page([name])];
  }
  yield ["registry.ts --help", REGISTRY.page([])];
  yield ["registry.ts help output", REGISTRY.page(["help", "output"])];
  yield ["group.ts --help", GROUP.page([])];
  const copies = COPY_ENTRIES.map(({ names: [name] }) => name);
  for (const word of ["log", "network", "output", "copies", ...copies]) {
    yield [`group.ts help ${word}`, GROUP.page(["help", word])];
  }
}

test("every page of help fits a terminal of 80 columns and 24 rows", () => {
  let count = 0;
  for (const [called, page] of pages()) {
    count++;
    assert.ok(page.length > 2, called);
    assert.ok(page.length <= PAGE_ROWS, `${called}: ${page.length} rows`);
    for (const line of page) {
      assert.ok(displayWidth(line) <= PAGE_COLUMNS, `${called}: ${line}`);
      assert.equal(line, line.trimEnd(), called);
    }
  }
  assert.ok(count > 60, `${count} pages`);
});

test("every command is on the page of its family, and its own has usage and example", () => {
  const whole = (lines: readonly string[]) => lines.join(" ").replace(/\s+/g, " ");
  for (const { names, family, prompt: called, help } of PROMPT_COMMANDS) {
    const { usage, example } = called!;
    const shown = whole(prompt(family));
    for (const said of [usage, called!.help ?? help]) assert.ok(shown.includes(said), said);
    const own = whole(prompt(names[0]));
    for (const said of [`Usage: ${usage}`, `Example: ${example}`]) {
      assert.ok(own.includes(said), own);
    }
  }
  for (const command of ONCE_COMMANDS) {
    const { names, family, once, program, help } = command;
    const { usage, example, help: here = help } = (once ?? program)!;
    const shown = whole(USER.page([family]));
    for (const said of [usage, here]) assert.ok(shown.includes(said), said);
    const own = whole(USER.page(["help", names[0]]));
    assert.ok(own.includes(`Usage: ${PLACE.program}${usage}`), own);
    assert.ok(own.includes(`Example: ${PLACE.run}${example}`), own);
    assert.match(whole(USER.page([])), new RegExp(` ${onceNames(command)[0]} `));
  }
});

test("help on a word that is none says which is near", () => {
  assert.throws(() => prompt("jion"), /did you mean join\?$/);
  assert.throws(() => USER.page(["help", "raed"]), /did you mean read\?$/);
  assert.throws(
    () => GROUP.page(["help", "raed"]),
    /expected log, network, output, copies, backup/,
  );
});
