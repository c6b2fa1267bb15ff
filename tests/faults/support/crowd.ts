/** Processes of members, as the program that started them sees them. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../../support.ts";
import type { Count, Report } from "../programs/members.ts";
import { type Held, Ledger } from "./audit.ts";
import { Child } from "./children.ts";
import type { Fault } from "./fault.ts";

/** Members come back, and have all, within this, ms. */
export const BACK_WITHIN = 180_000;

/** What a part of a crowd is started with. */
interface PartOptions {
  readonly registries: readonly string[];
  readonly group: string;
  readonly prefix: string;
  readonly members: number;
  /** Between two messages of the part, and between two members that go, ms; 0: nobody goes. */
  readonly pace: number;
  readonly turnover: number;
  /** Nobody follows before all of the part have joined: each who joins would be told to all others. */
  readonly waits: boolean;
}

/** One process of members; see `programs/members.ts`. */
class Part {
  readonly options: PartOptions;
  readonly child: Child;
  /** How often it stood still. */
  stood = 0;
  #said = new Set<string>();
  #count: (count: Count) => void = () => {};

  constructor(fault: Fault, ledger: Ledger, options: PartOptions) {
    this.options = options;
    this.child = new Child("programs/members.ts", [JSON.stringify(options)], {
      onLine: (line) => {
        const [word, ...rest] = line.split(" ");
        if (word === "try") ledger.tried(rest.join(" "));
        else if (word === "ack") ledger.ack(rest[0], Number(rest[1]), rest.slice(2).join(" "));
        else if (word === "counted") this.#count(JSON.parse(rest.join(" ")));
        else this.#said.add(word);
      },
    });
    fault.onClose(() => this.child.kill());
  }

  /** Whether it said a word: `joined`, `resting`, `reached`, `reported`. @throws {Error} it ended */
  said(word: string): boolean {
    if (this.child.over) throw new Error(`A part of the crowd ended: ${this.child.errors}`);
    return this.#said.has(word);
  }

  order(order: string, word = ""): void {
    this.child.write(`${order} ${word}\n`);
  }

  /** What its members have heard; never answers where it stands still. */
  count(): Promise<Count> {
    return new Promise((resolve) => {
      this.#count = resolve;
      this.order("count");
    });
  }

  /** What its members were told, after it `reported`. */
  report(folder: string): Report {
    return JSON.parse(readFileSync(this.file(folder), "utf8"));
  }

  file(folder: string): string {
    return join(folder, `${this.options.prefix}.json`);
  }
}

interface CrowdOptions {
  readonly registries: readonly string[];
  readonly group: string;
  /** Members where no other number was asked for. */
  readonly wanted: number;
  /** Between two members that go, in each process, ms, 0: nobody goes; default as the fault's size. */
  readonly turnover?: number;
  /** Nobody follows before all have joined, which makes a large crowd sooner. */
  readonly waits?: boolean;
}

/** All who are there, in processes. */
export class Crowd {
  readonly ledger = new Ledger();
  readonly members: number;
  readonly #fault: Fault;
  readonly #options: CrowdOptions;
  readonly #parts: Part[] = [];
  readonly #counts = new Map<Part, Count>();
  #started = 0;

  constructor(fault: Fault, options: CrowdOptions) {
    this.#fault = fault;
    this.#options = options;
    const wanted = fault.members ?? options.wanted;
    const parts = Math.min(8, Math.max(3, Math.ceil(wanted / 400)));
    const each = Math.ceil(wanted / parts);
    this.members = each * parts;
    fault.figure("members", this.members);
    for (let i = 0; i < parts; i++) this.#start(each);
  }

  #start(members: number): void {
    const { registries, group } = this.#options;
    // What is said is heard by all: the larger the crowd, the less of it.
    const pace = Math.max(200, this.members * (this.#options.waits ? 2 : 0.5));
    this.#parts.push(
      new Part(this.#fault, this.ledger, {
        registries,
        group,
        prefix: `part ${++this.#started}`,
        members,
        pace,
        waits: this.#options.waits ?? false,
        turnover: this.#options.turnover ?? this.#fault.size(500, 1_000),
      }),
    );
  }

  /** What all have heard; of parts that do not answer within `ms`, what they said before. */
  async counts(ms: number): Promise<Count[]> {
    await Promise.race([
      Promise.all(this.#parts.map(async (part) => this.#counts.set(part, await part.count()))),
      setTimeout(ms),
    ]);
    return this.#parts.flatMap((part) => this.#counts.get(part) ?? []);
  }

  /** @throws {Error} a part ended */
  all(word: string): boolean {
    return this.#parts.every((part) => part.said(word));
  }

  /** One part stands still for a while, another is killed and others come, one member floods. */
  async suffer(round: number): Promise<void> {
    const parts = this.#parts;
    parts[round % parts.length].order("flood", String(this.#fault.size(1_000, 300)));
    const still = parts[(round + 1) % parts.length];
    still.child.signal("SIGSTOP");
    this.#fault.count("stood_still");
    if (round % 2 === 1) {
      const [killed] = parts.splice((round + 2) % parts.length, 1);
      await killed.child.kill();
      this.#fault.count("parts_killed");
      this.#start(killed.options.members);
    }
    await setTimeout(this.#fault.size(4_000, 8_000));
    still.child.signal("SIGCONT");
  }

  /** Ends all that is going on; the last entry there is then, when all have it. */
  async rest(): Promise<number> {
    for (const part of this.#parts) part.order("rest");
    await until(() => this.all("resting"), BACK_WITHIN, "all to be acknowledged");
    const { head } = this.ledger;
    for (const part of this.#parts) part.order("reach", String(head));
    await until(() => this.all("reached"), BACK_WITHIN, "all members to have the same");
    return head;
  }

  async reports(): Promise<Report[]> {
    const { folder } = this.#fault;
    for (const part of this.#parts) part.order("report", part.file(folder));
    await until(() => this.all("reported"), BACK_WITHIN, "the reports");
    return this.#parts.map((part) => part.report(folder));
  }
}

/** Whether all members were told what the log holds, up to `head` at least. */
export function compare(
  fault: Fault,
  reports: readonly Report[],
  held: readonly Held[],
  head: number,
): void {
  const messages = new Map(held.map(({ seq, mid }) => [seq, mid]));
  let [different, gaps, again, other] = [0, 0, 0, 0];
  for (const report of reports) {
    different += report.different;
    gaps += report.gaps;
    again += report.again;
    other += report.told.filter((mid, seq) => mid !== null && mid !== (messages.get(seq) ?? "-"))
      .length;
    fault.expect(report.told.length > head, "a part was not told the last entry");
  }
  for (const [what, count] of Object.entries({ different, gaps, again, other })) {
    fault.figure(what, count);
  }
  fault.expect(different === 0, "members were told different messages");
  fault.expect(gaps === 0, "a member was told a gap");
  fault.expect(again === 0, "a member was told an entry twice");
  fault.expect(other === 0, `${other} entries were told otherwise than the log holds them`);
}
