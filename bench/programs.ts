/**
 * The bench's own processes: each reads one JSON command a line and answers one JSON line, so that
 * every side of a comparison is driven in the same way and stays warm between rounds.
 */

import { track, untrack } from "./processes.ts";
import { OURS, type Tree } from "./trees.ts";

/** What a command may carry and give back. */
export type Fields = Record<string, unknown>;
type Command = (fields: never) => Promise<unknown> | unknown;

/** The child's side: serves commands until its input ends. */
export async function program(commands: Readonly<Record<string, Command>>): Promise<void> {
  const answer = (value: object) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  };
  for await (const line of lines(Deno.stdin.readable)) {
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
  Deno.exit(0);
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
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Fields>>();
  #id = 0;

  constructor({ file, tree = OURS, config }: ProgramOptions) {
    this.name = file;
    const configuration = config ? `${OURS.root}bench/${config}` : `${tree.root}deno.json`;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", "--config", configuration, `${tree.root}bench/${file}`],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    track(this.#child.pid);
    this.#input = this.#child.stdin.getWriter();
    void this.#read();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Runs a command. Rejects when it fails, or when the program ends before it answers. */
  async ask<T = Fields>(command: string, fields: Fields = {}): Promise<T> {
    const id = ++this.#id;
    const waiting = Promise.withResolvers<Fields>();
    this.#waiting.set(id, waiting);
    const line = JSON.stringify({ id, command, fields }) + "\n";
    await this.#input.write(new TextEncoder().encode(line));
    return await waiting.promise as T;
  }

  async #read(): Promise<void> {
    for await (const line of lines(this.#child.stdout)) {
      const { id, ok, error } = JSON.parse(line);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(`${this.name}: ${error}`));
      else waiting?.resolve(ok);
    }
    for (const { reject } of this.#waiting.values()) reject(new Error(`${this.name} ended`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 2_000);
    await this.#child.status;
    clearTimeout(timer);
    untrack(this.#child.pid);
  }
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
