/** What the servers' programs log: who asked, of which group, at which level, in which form. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { closing } from "../support.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** A line of `--log-json`. */
interface Line {
  readonly at: string;
  readonly level: string;
  readonly text: string;
  readonly group?: string;
  readonly user?: string;
  readonly name?: string;
}

/** Every line, each an object. */
function linesOf(output: string): Line[] {
  return output.trim().split("\n").map((line) => JSON.parse(line));
}

/** A group of its own folder, unlisted. */
function groupOf(path: string, ...options: string[]): Process {
  const place = ["127.0.0.1:0", "--unlisted", "--home", path];
  return new Process(ours("group.ts", "Lab", ...place, ...options));
}

test("a group's log names who asked, a line a request at debug, as JSON from the first byte on", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const group = keep(groupOf(path, "--log-json", "--log-level", "debug"));
    const first: Line = JSON.parse(await group.line());
    assert.match(first.text, /^Group Lab listens on /);
    const [, address] = /listens on ([^,]+),/.exec(first.text)!;
    const alice = keep(await connect({ name: "alice", registries: [] }));
    await alice.join(address);
    await alice.send("Lab", "nobody's business");
    const who = `alice#${alice.id.slice(0, 8)} (Lab)`;
    await group.line(/MESSAGE SEND/);
    await group.stop();
    assert.equal(group.errors, "");
    const lines = linesOf(group.output);
    const about = ({ level, text, group, user, name }: Line) => ({
      level,
      text,
      group,
      user,
      name,
    });
    const asked = { group: "Lab", user: alice.id, name: "alice" };
    const requests = lines.filter(({ text }) => text.includes("REQUEST") || text.includes("SEND"));
    assert.deepEqual(requests.map(about), [
      { level: "info", text: `JOIN REQUEST FROM ${who}`, ...asked },
      { level: "debug", text: `MESSAGE SEND FROM ${who}`, ...asked },
    ]);
    assert.ok(!group.output.includes("business"));
  }));

test("a server that does not start says so in JSON where that is asked for, and in its log file", () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const running = keep(groupOf(path, "--quiet"));
    await running.line(/listens on/);
    const log = join(path, "lab.log");
    const cases: [string[], number, RegExp][] = [
      [[], 1, /another process uses it/],
      [["--log-level", "shout"], 2, /expected error, warn, info or debug/],
      [["--log-size", "5"], 2, /it is for --log-file FILE/],
      [["--nonsense"], 2, /there is no such option/],
      [["--log-file", join(path, "nowhere", "lab.log")], 2, /Cannot log to .* choose another/],
    ];
    await Promise.all(cases.map(async ([options, code, why]) => {
      const group = keep(groupOf(path, "--log-json", ...options));
      assert.equal((await group.end(15_000)).code, code, group.output);
      const [{ level, text }, ...others] = linesOf(group.output);
      assert.equal(level, "error");
      assert.match(text, why);
      assert.deepEqual(others, []);
    }));
    const filed = keep(groupOf(path, "--log-file", log));
    assert.equal((await filed.end(15_000)).code, 1);
    assert.match(filed.errors, /^FAILED: Cannot open .* another process uses it/);
    const level = keep(new Process(["cat", log]));
    await level.line(/ ERROR: Cannot open /);
  }));
