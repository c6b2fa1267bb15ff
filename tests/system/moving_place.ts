/** What the tests of `group.ts copy` share: a folder with groups in it, and the programs beside them. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { Writer } from "../contract/log_support.ts";
import { Group } from "../support/inside.ts";
import { until } from "../support.ts";
import { type Keep, upTo } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** How long a command may take, ms. */
export const ENDS_WITHIN = 30_000;

/** A folder for groups' folders, and the programs that work on them. */
export class Place {
  readonly #keep: Keep;
  readonly path: string;

  constructor(keep: Keep) {
    this.#keep = keep;
    this.path = keep(new Folder()).path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** A program, in the home of this place. */
  start(...words: string[]): Process {
    return this.startWith({}, ...words);
  }

  /** The same, with more in its environment. */
  startWith(env: Readonly<Record<string, string>>, ...words: string[]): Process {
    return this.#keep(
      new Process(ours("group.ts", ...words, "--home", this.file("home")), { env }),
    );
  }

  /** The group "Lab", running, by these options. */
  async serve(...options: string[]): Promise<Process> {
    const group = this.start("Lab", "127.0.0.1:0", ...options);
    await group.line(/listens on/);
    return group;
  }

  /** The group of a folder, running. */
  group(data: string, ...options: string[]): Promise<Process> {
    const given = options.length > 0 ? options : ["--unlisted"];
    return this.serve("--data", this.file(data), ...given);
  }

  copy(from: string, to: string, ...options: string[]): Process {
    const [source, target] = [from, to].map((one) => one.includes("://") ? one : this.file(one));
    return this.start("copy", "Lab", "--from", source, "--to", target, ...options);
  }

  /** The code of a program and all that it said. */
  async run(program: Process) {
    return { code: (await program.end(ENDS_WITHIN)).code, output: program.output };
  }

  /** Makes a folder with a group that has many entries, stopped; its head. */
  async filled(data: string, batches: number): Promise<number> {
    await (await Group.start({ name: "Lab", data: this.file(data), unlisted: true })).close();
    const log = sqliteLog(this.file(data));
    let { head } = await log.open();
    const writer = new Writer(head + 1, Date.now());
    for (let left = batches; left > 0; left -= 50) {
      const batches = upTo(Math.min(50, left)).map(() => {
        const batch = writer.many(256);
        return { ...batch, json: JSON.stringify({ ...JSON.parse(batch.json), name: "before" }) };
      });
      await log.append(head, { batches });
      head = writer.next - 1;
    }
    await log.close();
    return head;
  }

  /** Waits until a copy to a folder has begun. */
  async begun(to: string): Promise<void> {
    const part = join(`${this.file(to)}.moving`, "log.db");
    await until(() => existsSync(part), 10_000, "the copy begins");
  }
}

/** A user that sends all the time, and what it sent. */
export class Talker {
  readonly texts: string[] = [];
  #stop = false;
  readonly #sending: Promise<void>;

  /** @param send resolves when the text is in the log */
  constructor(keep: Keep, send: (text: string) => Promise<unknown>) {
    keep({ [Symbol.asyncDispose]: () => Promise.resolve(void (this.#stop = true)) });
    this.#sending = (async () => {
      for (let n = 1; !this.#stop; n++) {
        this.texts.push(`line ${n}`);
        await send(`line ${n}`);
      }
    })();
    this.#sending.catch(() => {}); // `stop` has it.
  }

  /** Waits until some more are sent. */
  async goesOn(ms = 60_000): Promise<void> {
    const sent = this.texts.length;
    await until(() => this.texts.length > sent + 20, ms, "its messages go out");
  }

  async stop(): Promise<void> {
    this.#stop = true;
    await this.#sending;
  }
}
