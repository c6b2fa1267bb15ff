/**
 * `deno task scale [--members N] [--seed N]`: one group on many machines, on this one: three nodes
 * of PostgreSQL, two registries, three servers and a crowd. A table says each second who holds, lags
 * and serves; what is typed kills, stops and starts. At the end all must tell the same story.
 *
 * Without a terminal it reads the same commands, a line each, and `wait SECONDS`; it prints lines.
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { sentence } from "../lib/errors.ts";
import { fault, Skipped } from "../tests/faults/support/fault.ts";
import { World } from "../tests/faults/support/world.ts";
import { availablePostgres } from "../tests/support/postgres.ts";
import { Screen } from "./scale_screen.ts";
import { lineOf, Looker, tableOf } from "./scale_table.ts";

const MEMBERS = 200;
const HELP = [
  "kill | stop | continue | start NAME, mend, quit        NAME as in the first column, or",
  "holder, relay, primary, standby; a primary that is killed or stopped is replaced at once",
];
/** Lines of what was said that are shown. */
const SAID = 8;
const isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);

await fault(async (fault) => {
  const problem = availablePostgres();
  if (problem) throw new Skipped(problem);
  const begin = performance.now();
  const said: string[] = [];
  const say = (text: string) => {
    const line = `${clock(performance.now() - begin)}  ${text}`;
    said.push(line);
    if (!isTerminal) console.log(line);
  };
  const screen = isTerminal ? new Screen() : undefined;
  fault.onClose(() => screen?.leave());
  screen?.show(["Starting three databases, two registries and three servers …"]);
  const world = await World.start(fault, {
    members: MEMBERS,
    onSaid: (name, { text }) => {
      // Who comes and goes is the crowd's own affair.
      if (!/^(JOIN|LEAVE|MESSAGE|GET|LIST|REQUEST)\b/.test(text)) say(`${name}: ${text}`);
    },
  });
  const looker = new Looker(world);
  const end = new AbortController();
  fault.onClose(() => end.abort());
  const showing = (async () => {
    while (!end.signal.aborted) {
      const next = setTimeout(1_000, undefined, { signal: end.signal }).catch(() => {});
      const look = await looker.look();
      if (end.signal.aborted) break;
      if (screen) screen.show([...tableOf(look), "", ...said.slice(-SAID), "", ...HELP]);
      else console.log(`${clock(performance.now() - begin)}  ${lineOf(look)}`);
      await next;
    }
  })();
  const gathering = world.gather().then(() => {
    looker.meet();
    say("all members have joined");
  });
  gathering.catch(() => {}); // It is told at the end.
  looker.meet();
  const commands = (screen ? screen.commands() : lines())[Symbol.asyncIterator]();
  for (;;) {
    const { value: command, done } = await commands.next();
    if (done || command === "quit") break;
    say(`> ${command}`);
    try {
      await obey(world, command);
    } catch (error) {
      say(sentence(error));
    }
  }
  say("ending: all is started again, and what all have is compared; quit again to do without");
  const again = screen ? commands.next().then(() => undefined) : new Promise<undefined>(() => {});
  const story = await Promise.race([gathering.then(() => world.audit()), again]);
  if (!story) return;
  const { head, hash } = story;
  end.abort();
  await showing;
  screen?.leave();
  const { acked } = world.crowd.ledger;
  if (!fault.holds) return;
  console.log(
    `All ${world.crowd.members} members, ${world.servers.length} servers and ` +
      `${world.databases.length} databases have the same ${head} entries (hash ${hash}): ` +
      `of ${acked} acknowledged messages none is lost, none is there twice`,
  );
});

/** Does what was typed. @throws {Error} nothing is called so, or it cannot be done */
async function obey(world: World, command: string): Promise<void> {
  const [word, name] = command.trim().split(/\s+/);
  if (word === "mend") return await world.mend();
  if (word === "wait") return void await setTimeout(Number(name) * 1_000);
  if (word !== "kill" && word !== "stop" && word !== "continue" && word !== "start") {
    throw new Error(`No command "${word}"`);
  }
  const thing = world.thing(name);
  if (!thing) throw new Error(`Nothing is called "${name}" now`);
  await thing[word]();
}

/** Commands of standard input, where it is no terminal. */
async function* lines(): AsyncIterable<string> {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== "") yield line.trim();
  }
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${
    String(seconds % 60).padStart(2, "0")
  }`;
}
