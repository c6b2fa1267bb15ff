/** The prompt in a real terminal: other sizes, Ctrl-Z, long pastes, the pager, Ctrl-R. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL, Terminal } from "../support/terminal.ts";
import { ours, Process, ROOT } from "./processes.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;
const onDeno = "Deno" in globalThis;

test(
  "prompt: a window that gets narrower or wider loses no row, and every line fits",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      await bob.join("Lab");
      const alice = await world.member("alice", { columns: 80 });
      await bob.send("Lab", "said before, and a row of its own");
      await alice.shows("row of its own\nLab>");
      alice.type("the first line of a paste\nand one that waits for its end, ");
      alice.type("typed on until it takes several rows of any width");
      await alice.shows(/\n1 line pasted: [^]*of any\n width$/);
      for (const [i, columns] of [60, 33, 47, 100, 40].entries()) {
        await alice.resize(columns, 40);
        alice.type("x");
        await alice.line(new RegExp(`[^x]x{${i + 1}}$`));
        // Rows end where the window does.
        const shown = alice.text.replace(/\s/g, "");
        for (const once of ["saidbefore,andarowofitsown", "1linepasted", "Lab>andone"]) {
          assert.equal(shown.split(once).length, 2, `${once}\n${alice.text}`);
        }
      }
      await bob.rename("a name so long that it takes more than a row of 40");
      await alice.shows(/^\* .*\n {2}\S.*40[^]*\nLab> and one/m);
      assert.ok(alice.text.split("\n").every((row) => row.length <= 40), alice.text);
      assert.deepEqual(alice.screen.strange, []);
    }),
);

test(
  "prompt: Ctrl-Z stops the whole job, and fg brings it back with the line",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const quoted = (words: readonly string[]) =>
        words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
      const launchers = [world.command("alice")];
      // What is in between takes SIGTSTP for its own.
      if (onDeno) {
        const task = [process.execPath, "task", "-q", "--cwd", ROOT, "user"];
        launchers.push([...task, ...world.command("bob").slice(4)]);
      }
      const shell = keep(new Terminal(["bash", "--norc", "-i"], { env: { PS1: "shell$ " } }));
      await shell.line("shell$");
      for (const launcher of launchers) {
        const begin = shell.written.length;
        shell.type(`${quoted(launcher)}\r`);
        await shell.line("zgroup>");
        shell.type("join_group Lab\r");
        await shell.line("Lab>");
        shell.type("half of a line");
        await shell.line("Lab> half of a line");
        shell.press("ctrl-z");
        await shell.line("shell$");
        assert.match(shell.written.slice(begin), /Stopped/);
        shell.type("fg\r");
        await shell.line("Lab> half of a line");
        shell.type(", and its end");
        await shell.line("Lab> half of a line, and its end");
        shell.press("page-up");
        await shell.line(/^q back, .* · Lab, /);
        shell.press("ctrl-z");
        await shell.line("shell$");
        shell.type("fg\r");
        await shell.line(/^q back, .* · Lab, /);
        shell.type("q");
        await shell.line("Lab> half of a line, and its end");
        shell.press("ctrl-c", "ctrl-d");
        await shell.line("shell$");
      }
      shell.type("exit\r");
      assert.equal(await shell.end(), 0);
    }),
);

test(
  "prompt: Ctrl-Z says so where no shell could bring the program back",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.person("alice");
      alice.type("half");
      alice.press("ctrl-z");
      await alice.shows(
        /\n\* Ctrl-Z cannot stop this program: no shell [^]*type exit[^]*\nzgroup> half$/,
      );
    }),
);

test(
  "prompt: 64 KB are in the line at once, and what is too long stays there",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice");
      const begin = performance.now();
      alice.type(`${"x".repeat(65_536)} END`);
      await alice.line(/END$/);
      assert.ok(performance.now() - begin < 1_000, `${performance.now() - begin} ms`);
      alice.press("enter");
      await alice.shows(/^FAILED: Cannot send 65 KB as one message: 65,536 bytes is the most/m);
      await alice.line(/x END$/);
      for (let i = 0; i < 4; i++) alice.press("backspace");
      alice.press("enter");
      await alice.shows(/alice: x+\n/);
      await alice.line("Lab>");
      assert.deepEqual(alice.screen.strange, []);
    }),
);

test(
  "prompt: a long paste is asked about once, and nothing of it is lost",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice", { columns: 80 });
      const lines = Array.from({ length: 120 }, (_, i) => `line ${i + 1} ${"y".repeat(65)}`);
      const question = "Send 120 lines (9 KB) as one message to Lab (y/N)?";
      alice.type(`${lines.join("\n")}\n`);
      await alice.line(question);
      // Another paste is no answer: it means no, once, and nothing of either is lost.
      alice.type("one more\nof two lines\n");
      await alice.shows(/^121 lines pasted: Enter sends all with this one/m);
      await alice.line("Lab> of two lines");
      assert.equal(alice.text.split(question).length, 2);
      alice.press("ctrl-c");
      await alice.line("Lab>");
      alice.type(`${lines.join("\n")}\n`);
      await alice.line(question);
      alice.type("n\r");
      await alice.shows(/^119 lines pasted: Enter sends all with this one/m);
      await alice.line(`Lab> line 120 ${"y".repeat(65)}`);
      alice.press("enter");
      await alice.line(question);
      alice.type("y\r");
      await alice.shows(/alice: line 1\n {4}y+\n[^]*\n {4}line 120 y+\nLab>$/);
      assert.doesNotMatch(alice.text, /lines pasted/);

      const bob = keep(new Terminal([...world.command("bob"), "--yes"], { columns: 80 }));
      await bob.line("zgroup>");
      await bob.enter("join_group Lab", "* bob joined");
      await bob.line("Lab>");
      bob.type(`${lines.join("\n")}\n`);
      await bob.shows(/bob: line 1\n {4}y+\n[^]*\n {4}line 120 y+\nLab>$/);
      assert.doesNotMatch(bob.text, /y\/N/);
    }),
);

test(
  "prompt: Ctrl-R looks for a line that was typed before",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice");
      for (const line of ["good morning bob", "good morning carol"]) {
        await alice.enter(line, `alice: ${line}`);
        await alice.line("Lab>");
      }
      alice.press("ctrl-r");
      alice.type("morn");
      await alice.line('(search "morn") good morning carol');
      alice.press("ctrl-r");
      await alice.line('(search "morn") good morning bob');
      alice.press("ctrl-c");
      await alice.line("Lab>");
      alice.press("ctrl-r");
      alice.type("bob");
      await alice.line('(search "bob") good morning bob');
      alice.press("enter");
      await alice.line("Lab> good morning bob");
      await alice.enter("!", "alice: good morning bob!");
    }),
);

test(
  "pager and prompt: a program that is ended, or has a defect, leaves the terminal as it was",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = keep(await connect({ name: "alice", registries: [world.registry] }));
      await alice.join("Lab");
      const texts = Array.from({ length: 50 }, (_, i) => `message ${i + 1}`);
      await Promise.all(texts.map((text) => alice.send("Lab", text)));
      await world.person("bob").then(async (bob) => {
        await bob.enter("join_group Lab", "bob joined");
        bob.type("exit\r");
        await bob.end();
      });
      const pager = /^q back, /;
      const read = world.command("bob", "read", "Lab");
      const crashing = ours("tests/system/crashing_pager.ts");
      for (
        const { command, keys = "", open, end } of [
          { command: world.command("bob"), keys: "half", open: "Lab> half", end: "SIGTERM" },
          { command: world.command("bob"), keys: "\x1b[5~", open: pager, end: "SIGTERM" },
          { command: world.command("bob"), keys: "\x1b[5~", open: pager, end: "SIGHUP" },
          { command: read, open: pager, end: "SIGTERM" },
          { command: crashing, open: pager, end: undefined },
        ]
      ) {
        const told = ["sh", "-c", '"$@"; echo "ended with $?"; stty -a', "sh", ...command];
        const terminal = keep(new Terminal(told));
        if (keys !== "") await terminal.line("Lab>");
        terminal.type(keys);
        await terminal.line(open);
        const children = `/proc/${terminal.pid}/task/${terminal.pid}/children`;
        const pid = Number(readFileSync(children, "utf8"));
        if (end) process.kill(pid, end);
        else await terminal.resize(60, 20);
        const shown = await terminal.shows(/ended with \d+\n[^]*icanon[^]* echo /);
        const what = `${command.slice(3)} ${end}\n${shown}`;
        assert.doesNotMatch(shown, /-(icanon|echo|isig)\b/, what);
        assert.ok(!terminal.screen.isWhole, what);
        const [hidden, seen] = ["\x1b[?25l", "\x1b[?25h"].map((one) =>
          terminal.written.lastIndexOf(one)
        );
        assert.ok(hidden <= seen, `the cursor is hidden: ${what}`);
        if (!end) assert.match(shown, /^FAILED: .*a defect of the pager/m);
      }
    }),
);

test(
  "pager: a history is read page by page, while messages come",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const bob = keep(await connect({ name: "bob", registries: [world.registry] }));
      await bob.join("Lab");
      const alice = await world.member("alice", { columns: 80, rows: 24 });
      const texts = Array.from({ length: 700 }, (_, i) => `message ${i + 1} of many`);
      await Promise.all(texts.map((text) => bob.send("Lab", text, { within: 30_000 })));
      await alice.shows(/message 700 of many\nLab>$/);
      alice.type("half ty");
      await alice.line("Lab> half ty");
      alice.press("page-up");
      await alice.line(/^q back, Page Up\/Down, \/ find, \? keys · Lab, 2\S+ \S+ · 703 of 703$/);
      assert.ok(alice.screen.isWhole);
      const rows = alice.text.split("\n");
      assert.equal(rows.length, 24);
      assert.match(rows[22], /message 700 of many$/);
      alice.press("page-up");
      await alice.line(/ 681 of 703$/);
      alice.type("g");
      await alice.line(/ 23 of 703$/);
      assert.match(alice.text, /^\* Lab was founded\n/);
      alice.type("/Message 30 \r");
      await alice.shows(/message 30 of many\n/);
      alice.type("  ");
      await alice.line(/ 8\d of 703$/);
      await alice.resize(40, 12);
      await alice.line(/^q back, Page Up\/Down, \/ find, \? keys/);
      alice.type("?");
      await alice.shows(/^Page Up, b: a screen back; Page Down,\n {2}Space: [^]*Any key: back/m);
      alice.type("h"); // Whatever it is.
      await alice.hides("Any key");
      await alice.resize(80, 24);
      await alice.line(/ 8\d of 703$/);
      await bob.send("Lab", "while alice reads");
      alice.type("G");
      await alice.shows(/bob: while alice reads\nq back, .* 704 of 704/);
      await bob.send("Lab", "and once more");
      await alice.shows(/bob: and once more\nq back, .* 705 of 705/);
      alice.press("page-down");
      await alice.line("Lab> half ty");
      assert.ok(!alice.screen.isWhole);
      assert.match(alice.text, /while alice reads\n.*and once more\nLab> half ty$/);
      alice.press("ctrl-c");
      await alice.enter("here again", "alice: here again");
      assert.equal(alice.text.match(/^— .* —$/gm)?.length ?? 0, 1, "the day is told once");

      // More than a screen goes there by itself, at once too; what fits is printed.
      alice.type("get_messages\r");
      await alice.line(/^q back, .* 706 of 706$/);
      alice.press("ctrl-c");
      await alice.line("Lab>");
      alice.type("exit\r");
      await alice.end();
      const once = keep(
        new Terminal(world.command("alice", "read", "Lab"), { columns: 80, rows: 24 }),
      );
      await once.line(/^q back, .*Lab, .* 23 of 706$/);
      once.type("q");
      assert.equal(await once.end(), 0);
      const short = keep(new Terminal(world.command("alice", "read", "Lab", "--last", "5")));
      assert.equal(await short.end(), 0);
      assert.equal(short.text.split("\n").length, 5);
      const dumb = keep(
        new Terminal(world.command("alice", "read", "Lab"), { env: { TERM: "dumb" } }),
      );
      assert.equal(await dumb.end(), 0);
      assert.equal(dumb.text.split("\n").length, 706);
      const piped = keep(new Process(world.command("alice", "read", "Lab", "--json")));
      assert.equal((await piped.end(20_000)).code, 0);
      assert.equal(piped.output.trimEnd().split("\n").length, 706);
      for (const { screen } of [alice, once, short]) assert.deepEqual(screen.strange, []);
    }),
);

test(
  "prompt: a command that is pasted in pieces with a link runs, and is never published unasked",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice", { columns: 400 });
      await alice.enter("create_group Secret --private", "SUCCESS");
      await alice.line("Secret>");
      const shown = await alice.enter("invite", /zgroup:\/\/\S+/);
      const [link] = /zgroup:\/\/\S+/.exec(shown)!;
      const bob = await world.member("bob");
      bob.type(`/join ${link.slice(0, 30)}\n${link.slice(30, 60)}\n${link.slice(60)}`);
      await bob.shows(link.slice(-8));
      bob.press("enter");
      await bob.line("Secret>");
      await bob.enter("/switch Lab", "* plain text goes to Lab now");
      bob.type(`/join ${link.slice(0, 30)}\nas alice said\n`);
      await bob.line("The first line is a command. Send all 2 as one message to Lab (y/N)?");
      bob.type("n\r");
      await bob.line("Lab> as alice said");
      assert.doesNotMatch(bob.text, /bob: /);
      assert.deepEqual(bob.screen.strange, []);
    }),
);
