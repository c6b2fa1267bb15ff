/**
 * How a command asks the process that holds a group's folder: by a file in that folder, which is
 * readable by its owner only. The lock on the log is exclusive, so nobody else can do the work.
 */

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { randomToken } from "../identity/keys.ts";
import { FolderUnusable, sentence, UsageError } from "../errors.ts";

/** What can be asked. */
export type Wish =
  | { readonly op: "backup"; readonly file: string }
  | { readonly op: "verify" };

type Answer = { readonly ok: Record<string, number> } | { readonly error: string };

/** How often the holder looks, ms. */
const LOOK_EVERY = 500;
/** A holder that has not taken a wish within this does not look, ms. */
const TAKEN_WITHIN = 5_000;
/** A check of a large log takes minutes, ms. */
const DONE_WITHIN = 3_600_000;

const wishFile = (folder: string) => join(folder, "wish.json");
const answerFile = (folder: string, id: string) => join(folder, `answer-${id}.json`);

/** Fulfils the wishes left in a folder, one at a time, until it is closed. */
export function fulfilWishes(
  folder: string,
  fulfil: (wish: Wish) => Promise<Record<string, number>>,
): { close(): void } {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy || !existsSync(wishFile(folder))) return;
    busy = true;
    try {
      await take(folder, fulfil);
    } finally {
      busy = false;
    }
  }, LOOK_EVERY);
  return { close: () => clearInterval(timer) };
}

async function take(
  folder: string,
  fulfil: (wish: Wish) => Promise<Record<string, number>>,
): Promise<void> {
  try {
    const text = readFileSync(wishFile(folder), "utf8");
    rmSync(wishFile(folder));
    const { id, ...wish } = JSON.parse(text);
    if (!/^[\w-]{16,64}$/.test(id)) return;
    const answer: Answer = await fulfil(wish).then(
      (ok) => ({ ok }),
      (error) => ({ error: sentence(error) }),
    );
    write(answerFile(folder, id), answer);
  } catch {
    // Whoever wished it will say that nobody answered.
  }
}

/**
 * Asks the process that holds a folder.
 *
 * @throws {FolderUnusable} nobody takes the wish; {UsageError} the holder could not do it
 */
export async function wishOf(folder: string, wish: Wish): Promise<Record<string, number>> {
  const id = randomToken();
  write(wishFile(folder), { id, ...wish });
  const begin = performance.now();
  try {
    for (;;) {
      const answer = answered(folder, id);
      if (answer && "ok" in answer) return answer.ok;
      if (answer) throw new UsageError(answer.error);
      const waited = performance.now() - begin;
      const taken = !existsSync(wishFile(folder));
      if (waited > (taken ? DONE_WITHIN : TAKEN_WITHIN)) {
        throw new FolderUnusable(
          `Cannot ask the process that holds ${folder}: it does not answer; stop it and try again`,
        );
      }
      await wait(20);
    }
  } finally {
    rmSync(answerFile(folder, id), { force: true });
    if (performance.now() - begin > TAKEN_WITHIN) rmSync(wishFile(folder), { force: true });
  }
}

function answered(folder: string, id: string): Answer | undefined {
  const file = answerFile(folder, id);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

function write(file: string, value: object): void {
  const part = `${file}.${randomToken(6)}`;
  writeFileSync(part, JSON.stringify(value), { mode: 0o600 });
  renameSync(part, file);
}
