/** What a typed line means, and who is who, in a real terminal and in scripts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { Process } from "./processes.ts";
import { PromptWorld } from "./prompt_world.ts";

const skip = NO_TERMINAL;
const QUESTION = "Send it as a message (y/N)?";

test(
  "prompt: what begins like a command is sent when that is said, and not before",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const alice = await world.member("alice");
      const asks = async (typed: string, why: string | RegExp) => {
        await alice.enter(typed, why);
        await alice.line(QUESTION);
      };
      await asks("join us for lunch", '* "join us for lunch" begins like the command /join G');
      await alice.enter(
        "",
        "* not sent; / before it makes it a command, a space before it makes it a",
      );
      await alice.line("Lab>");
      await asks("read the paper", "begins like the command /read [G]");
      await alice.enter("y", "] alice: read the paper");
      await alice.line("Lab>");
      await asks("gruops", '* There is no command "gruops": did you mean groups?');
      // What is no answer means no, and stands in the line again.
      await alice.enter("no thanks", "* not sent; ");
      await alice.line("Lab> no thanks");
      alice.press("ctrl-c");
      await alice.enter("groups", /^1\. Lab - \S+ \*$/m);
      await asks("/jion Lab", '* There is no command "/jion": did you mean join?');
      alice.press("ctrl-c");
      await alice.line("Lab>");

      await alice.enter("list zzz", "* no group is listed");
      await alice.enter(
        "read 5m",
        /alice joined[^]*read the paper[^]*alice joined[^]*read the paper/,
      );
      await alice.enter("join Nope", 'FAILED: Cannot find the group "Nope": no registry lists it');
      await alice.enter(
        "/follow",
        "FAILED: Cannot run /follow here: messages are shown here as they",
      );
      await alice.enter(
        "create_group Other 999",
        'FAILED: Cannot create "Other 999": 999 is no add',
      );
      await alice.shows(/put\s+that\s+in\s+quotes:\s+"Other 999"/);
      for (const text of ["help me please", "topic of today is lunch", "I read the list"]) {
        await alice.enter(text, `] alice: ${text}`);
      }
      await alice.enter(" gruops", "] alice: gruops");
      await alice.enter("leave", "FAILED: Cannot leave: expected a group");
      await alice.enter("leave lab", "SUCCESS");
      await alice.line("zgroup>");
      assert.doesNotMatch(alice.text, /alice: (join us|\/jion|leave|follow)/);
      assert.deepEqual(alice.screen.strange, []);
    }),
);

test(
  "prompt: members of one name, or of names that look alike, are told apart",
  { skip },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      await world.group("Ops Team");
      const registries = [world.registry];
      const alice = await world.member("alice");
      const own = /alice#[0-9a-f]{8}/.exec(await alice.enter("whoami", /alice#[0-9a-f]{8} /))![0];
      await alice.enter("first", "] alice: first");

      const twin = keep(await connect({ name: "Alice", registries }));
      await twin.join("Lab");
      const other = `Alice#${twin.id.slice(0, 8)}`;
      await alice.shows(`* ${other} joined; the name looks like that of ${own}`);
      await alice.enter("second", `] ${own}: second`);
      await twin.send("Lab", "third");
      await alice.shows(`] ${other}: third`);
      // The same, whatever was read.
      await alice.enter("read", new RegExp(`${own}: first[^]*${own}: second[^]*${other}: third`));
      await alice.enter(
        "members",
        new RegExp(`^(${own}|${other}) \\(here\\)\n(${own}|${other}) \\(h`, "m"),
      );

      await twin.rename("bob");
      await alice.shows(`* ${other} is now called bob`);
      await twin.rename("\u0430lice");
      await alice.shows(
        `* bob is now called \u0430lice#${twin.id.slice(0, 8)} [mixed alphabets]; the`,
      );
      const again = await world.person("alice");
      await again.enter("read", new RegExp(`${own}: first\\n[^]*${own}: second\\n[^]*Alice#`));
      await alice.enter("/rename Alicia", `* ${own} is now called Alicia`);

      // Groups and members by part of a name.
      await alice.enter("join ops team", "* Ops Team was founded");
      await alice.enter("switch la", "* plain text goes to Lab now");
      await alice.enter(
        "leave op",
        'FAILED: You are not a member of "op": did you mean "Ops Team"?',
      );
      await alice.enter("join lob", 'FAILED: Cannot find the group "lob": did you mean Lab?');
      assert.deepEqual(alice.screen.strange, []);
    }),
);

test("scripts: what is no command is refused, and sent with --say alone", () =>
  closing(async (keep) => {
    const world = await PromptWorld.start(keep);
    const lines = "join_group Lab\nhello\njoin us for lunch\n/jion Lab\nread la\n";
    const run = async (...options: string[]) => {
      const program = keep(new Process(world.command("alice", ...options)));
      program.write(lines);
      program.finish();
      return {
        code: (await program.end(20_000)).code,
        output: program.output,
        errors: program.errors,
      };
    };
    const strict = await run();
    assert.equal(strict.code, 1);
    assert.deepEqual(strict.errors.trimEnd().split("\n"), [
      'FAILED: Cannot run "hello": it is no command; send_message G TEXT sends a text, and with ' +
      "--say every line that is no command is one",
      'FAILED: "join us for lunch" begins like the command /join G|zgroup://…; / before it ' +
      "makes it a command, send_message G TEXT sends a text",
      'FAILED: There is no command "/jion": did you mean join?; send_message G TEXT sends ' +
      "a text",
    ]);
    assert.doesNotMatch(strict.output, /alice: /);
    const saying = await run("--say");
    assert.equal(saying.code, 1, "of what begins like a command nobody knows");
    assert.match(saying.output, /alice: hello$/m);
    assert.doesNotMatch(saying.output, /alice: (join|\/jion)/);
    const wrong = keep(new Process(world.command("alice", "--say", "read", "Lab")));
    wrong.finish();
    assert.equal((await wrong.end(20_000)).code, 2);
    assert.match(wrong.errors, /Cannot use --say with read: it is for lines of a script/);
  }));

test("command line: groups and members by part of a name, and what may have been meant", () =>
  closing(async (keep) => {
    const world = await PromptWorld.start(keep);
    await world.group("Ops Team");
    const bob = keep(await connect({ name: "Bobby", registries: [world.registry] }));
    const run = async (...words: string[]) => {
      const program = keep(new Process(world.command("alice", ...words)));
      program.finish();
      const { code } = await program.end(20_000);
      return `${code} ${program.output}`.trim();
    };
    assert.match(await run("join", "ops team"), /^0 SUCCESS/);
    assert.match(await run("join", "Op"), /^1 FAILED: .*Op": did you mean "Ops Team"\?$/);
    await bob.join("Ops Team");
    assert.match(await run("members", "ops"), new RegExp(`Bobby#${bob.id.slice(0, 8)} \\(here\\)`));
    assert.match(await run("send", "ops", "hi"), /^1 FAILED: .*"ops": did you mean "Ops Team"\?$/);
    assert.match(await run("mute", "ops team", "bobyb"), /^1 FAILED: .*; did you mean Bobby\?$/);
    assert.match(await run("ban", "ops team", "bob"), /^1 FAILED: .*; did you mean Bobby\?$/);
    assert.match(await run("ban", "ops team", "bobby"), /^1 FAILED: .*only admins may/);
  }));
