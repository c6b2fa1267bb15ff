/**
 * The bench's own processes: each reads one JSON command a line and answers one JSON line, so that
 * every side of a comparison is driven in the same way and stays warm between rounds.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { Process } from "../tests/support/process.ts";
import { OURS, type Tree } from "./trees.ts";

/** What a command may carry and give back. */
type Fields = Record<string, unknown>;
type Command = (fields: never) => Promise<unknown> | unknown;

/** The child's side: serves commands until its input ends. */
export async function program(commands: Readonly<Record<string, Command>>): Promise<void> {
  const answer = (value: object) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
    for (let done = 0; done < bytes.length;) done += writeSync(1, bytes, done);
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, command, fields } = JSON.parse(line);
    // Not awaited: a command may wait for what the next one does.
    void (async () => {
      try {
        answer({ id, ok: await commands[command](fields as never) ?? {} });
      } catch (error) {
        answer({ id, error: error instanceof Error ? error.stack ?? error.message : `${error}` });
      }
    })();
  }
  process.exit(0);
}

/** How a child is started. */
export interface ProgramOptions {
  /** A file of the bench's folder. */
  readonly file: string;
  /** Whose; default ours. */
  readonly tree?: Tree;
  /** Another configuration than the product's, a file of this folder. */
  readonly config?: string;
}

/** The parent's side of a child. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly #process: Process;
  readonly #waiting = new Map<number, PromiseWithResolvers<Fields>>();
  #id = 0;

  constructor({ file, tree = OURS, config }: ProgramOptions) {
    this.name = file;
    const configuration = config ? `${OURS.root}bench/${config}` : `${tree.root}deno.json`;
    const run = [process.execPath, "run", "-A", "-q", "--config", configuration];
    this.#process = new Process([...run, `${tree.root}bench/${file}`], {
      onLine: (line) => this.#answered(JSON.parse(line)),
    });
    void this.#process.ended.then(() => {
      const reason = new Error(`${file} ended: ${this.#process.errors}`);
      for (const { reject } of this.#waiting.values()) reject(reason);
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Runs a command. Rejects when it fails, or when the program ends before it answers. */
  async ask<T = Fields>(command: string, fields: Fields = {}): Promise<T> {
    const id = ++this.#id;
    const waiting = Promise.withResolvers<Fields>();
    this.#waiting.set(id, waiting);
    this.#process.write(JSON.stringify({ id, command, fields }) + "\n");
    return await waiting.promise as T;
  }

  #answered({ id, ok, error }: { id: number; ok: Fields; error?: string }): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(`${this.name}: ${error}`));
    else waiting?.resolve(ok);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.finish();
    const timer = setTimeout(() => this.#process.signal("SIGKILL"), 2_000);
    await this.#process.ended;
    clearTimeout(timer);
  }
}
