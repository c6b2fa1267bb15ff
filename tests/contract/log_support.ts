/** What the log's suites share: a folder, batches to append, a second process. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  type Log,
  type Powers,
  type ReadBatch,
  requirePower,
  type StoredBatch,
} from "../../lib/log/log.ts";

/** A power that a log must have. */
export function powerOf<Name extends keyof Powers>(log: Log, name: Name): Powers[Name] {
  return requirePower(log, name, `test ${name}`);
}

/** Appends batches at their place. */
export function append(log: Log, ...batches: StoredBatch[]): Promise<readonly ReadBatch[]> {
  return log.append(batches[0].first - 1, { batches });
}

/** Runs `body` with a new folder that is removed afterwards. */
export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "zgroup-log-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const ALICE = "00000000-0000-8000-8000-00000000000a";
export const BOB = "00000000-0000-8000-8000-00000000000b";

/** A message id of the millisecond `ms`; `n` tells those of one millisecond apart. */
export function mid(ms: number, n = 0): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

interface Wanted {
  readonly at?: number;
  readonly author?: string;
  /** Ids of the messages; their number is the batch's. */
  readonly mids: readonly string[];
  readonly text?: string;
}

/** Makes batches that follow each other, starting with entry `next`. */
export class Writer {
  next: number;
  #at: number;

  constructor(next = 1, at = 1_000) {
    this.next = next;
    this.#at = at;
  }

  messages({ at = this.#at, author = ALICE, mids, text = "text" }: Wanted): StoredBatch {
    const first = this.#take(mids.length, at);
    const count = mids.length;
    const messages = mids.map((mid, i) => [mid, `${text} ${first + i}`]);
    const json = JSON.stringify({ first, count, at, kind: "message", author, messages });
    return { first, count, at, author, mids, json };
  }

  /** `count` messages whose ids are of the milliseconds from `first` on. */
  many(count: number, wanted: Omit<Wanted, "mids"> = {}): StoredBatch {
    const mids = Array.from({ length: count }, (_, i) => mid(this.next + i));
    return this.messages({ ...wanted, mids });
  }

  /** One entry without an id. */
  join({ at = this.#at, author = BOB } = {}): StoredBatch {
    const first = this.#take(1, at);
    const json = JSON.stringify({ first, count: 1, at, kind: "join", author, body: {} });
    return { first, count: 1, at, author, mids: [], json };
  }

  #take(count: number, at: number): number {
    const first = this.next;
    this.next += count;
    this.#at = at;
    return first;
  }
}

/** Appends batches of these sizes, one transaction each, 10 ms apart. */
export async function fill(log: Log, sizes: readonly number[]): Promise<StoredBatch[]> {
  const writer = new Writer();
  const batches = sizes.map((size, i) => writer.many(size, { at: 1_000 + i * 10 }));
  for (const batch of batches) await append(log, batch);
  return batches;
}

/** The first seqs of the batches that a read answers. */
export async function firsts(log: Log, range: Parameters<Log["read"]>[0]): Promise<number[]> {
  return (await log.read(range)).map((batch) => batch.first);
}

/** A process that runs `log_child.ts`; `line` waits for its next line of output. */
export function child(mode: string, folder: string, before?: readonly string[]) {
  const file = fileURLToPath(new URL("log_child.ts", import.meta.url));
  const run = "Deno" in globalThis ? ["run", "-A"] : process.execArgv;
  const [command, ...args] = [...before ?? [], process.execPath, ...run, file, mode, folder];
  const running = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(running, "exit");
  const lines = createInterface({ input: running.stdout })[Symbol.asyncIterator]();
  return {
    line: async (): Promise<string> => (await lines.next()).value ?? "end of output",
    async kill() {
      running.kill("SIGKILL");
      await ended;
    },
  };
}
