/** `user.ts doctor`: checks what goes wrong most, and says what to do about it. */

import { sentence } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { counted } from "../text/counted.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import type { NamesCompared, ServerFound } from "../user/types.ts";
import { atMost } from "./args.ts";
import { whereOf } from "./home.ts";
import { aboutDatabase } from "./doctor_database.ts";
import { type Call, type Finding, type Machine, VERSION } from "./program.ts";
import { paint } from "./render.ts";

/** Clocks may differ by this, ms; a record of a group is valid for five minutes more or less. */
const CLOCK_SLACK = 60_000;
/** Less room than this is soon used up, bytes. */
const ROOM = 64 * 1_048_576;

/** Runs all checks; 0 when all is well, else 1. */
export async function doctor({ given, home, doors, output, run }: Call): Promise<number> {
  const where = whereOf(given, home);
  atMost(given.positionals, 1);
  const machine = await doors.machine(home, where.transport);
  const findings = aboutMachine(machine, home);
  if (machine.folderProblem === undefined) {
    try {
      const user = await doors.lookingUser(machine.hasUser ? where : { ...where, home: undefined });
      run.onClose(() => user.close());
      if (machine.hasUser) findings.push({ good: true, text: `you are ${user.name}, ${user.id}` });
      findings.push(...(await user.diagnose()).map(aboutServer));
      findings.push(...aboutNames(await user.compareNames()));
    } catch (error) {
      findings.push({ good: false, text: sentence(error) });
    }
  }
  const url = given.texts.get("log");
  if (url !== undefined) {
    try {
      const isEnough = given.flags.has("single-copy");
      findings.push(...aboutDatabase(await doors.database(url), isEnough));
    } catch (error) {
      findings.push({ good: false, text: sentence(error) });
    }
  }
  const wrong = findings.filter(({ good }) => !good).length;
  const code = wrong === 0 ? 0 : 1;
  if (given.flags.has("json")) {
    for (const { good, text, advice } of findings) {
      await output.print(safeJson({ good, text, ...(good ? {} : { advice }) }));
    }
    return code;
  }
  for (const { good, text, advice } of findings) {
    const mark = paint(output.style, good ? "green" : "red", good ? "ok    " : "WRONG ");
    await output.print(`${mark} ${safeLine(text)}`);
    if (!good && advice) await output.print(`       ${safeLine(advice)}`);
  }
  await output.print(wrong === 0 ? "All is well" : wrongOf(wrong, findings.length));
  return code;
}

function wrongOf(wrong: number, all: number): string {
  return `${wrong} of ${all} things ${wrong === 1 ? "is" : "are"} wrong`;
}

function aboutMachine(machine: Machine, home: string): Finding[] {
  const { versions, wire, folderProblem, problems, free, descriptorProblem } = machine;
  return [
    { good: true, text: `zgroup ${VERSION}, ${versions}` },
    { good: true, text: `wire: ${wire}, every connection sealed` },
    {
      good: folderProblem === undefined,
      text: folderProblem ?? `folder: ${home} can be written`,
      advice: "choose another one with --home, or give this user the right to write there",
    },
    ...problems.map((text) => ({ good: false, text })),
    ...(problems.length === 0 && folderProblem === undefined
      ? [{ good: true, text: "what is kept in it is whole" }]
      : []),
    ...(free === undefined ? [] : [{
      good: free >= ROOM,
      text: `disk: ${Math.floor(free / 1_048_576).toLocaleString("en-US")} MiB free`,
      advice: "make room: a full disk keeps the outbox from taking messages",
    }]),
    {
      good: descriptorProblem === undefined,
      text: descriptorProblem ?? "descriptors: enough for many connections",
    },
  ];
}

function aboutServer(server: ServerFound): Finding {
  const { what, address, problem, took, ahead, key, several } = server;
  const place = `${what} ${address}`;
  if (problem !== undefined) {
    const text = problem.includes(address) ? problem : `${place}: ${problem}`;
    return { good: false, text, advice: adviceFor(server) };
  }
  const seconds = Math.round(Math.abs(ahead) / 1_000);
  if (Math.abs(ahead) > CLOCK_SLACK) {
    return {
      good: false,
      text: `${place}: its clock is ${seconds} s ${ahead > 0 ? "ahead of" : "behind"} yours`,
      advice: "set the clock that is wrong (timedatectl set-ntp true)",
    };
  }
  const whose = key === undefined ? "" : `, its key is ${shortKey(key)}`;
  const clocks = several ? "" : ", clocks agree";
  return { good: true, text: `${place}: answers in ${Math.ceil(took)} ms${clocks}${whose}` };
}

/** What registries say of the same names; nothing where only one lists any. */
function aboutNames({ compared, disputes }: NamesCompared): Finding[] {
  if (compared === 0 && disputes.length === 0) return [];
  if (disputes.length === 0) {
    return [{ good: true, text: `registries: they agree on ${counted(compared, "name")}` }];
  }
  return disputes.map(({ name, owners }) => ({
    good: false,
    text: `the name "${name}": ` +
      owners.map(({ key, registries, known }) =>
        `${registries.join(" and ")} ${registries.length > 1 ? "give" : "gives"} it to the key ` +
        shortKey(key) + (known ? ", whom you know" : "")
      ).join("; "),
    advice:
      "ask the group's owner which key is right; who runs the other registry stops it, takes " +
      "names.db out of its folder and starts it again; join by an invite or IP:PORT meanwhile",
  }));
}

function adviceFor({ what, why = "silent", several }: ServerFound): string | undefined {
  if (why === "unusable") return undefined; // The problem says it.
  if (why === "another") return "ask its owner whether it was set up anew";
  if (several) {
    return "its members go on at the others; start it again there (group.ts), or check the network " +
      "between";
  }
  return what === "registry"
    ? "start it (registry.ts), check the address (--registry), or a firewall between; groups " +
      "joined before work without it"
    : "start it (group.ts), or check the network between; what you send meanwhile is kept";
}
