/**
 * How a command asks the holder, the process that has a group's folder open: by a file in that
 * folder, which is readable by its owner only. The lock on the log is exclusive, so nobody else can
 * do the work.
 */

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { load, save } from "../disk/files.ts";
import { FolderUnusable, sentence, UsageError } from "../errors.ts";
import { randomToken } from "../identity/keys.ts";
import type { Checked } from "../log/log.ts";

/** What can be asked. */
export type HolderRequest =
  | { readonly op: "backup"; readonly file: string }
  | { readonly op: "verify" };

/** What is answered, by `op`. */
export interface HolderReplies {
  readonly backup: { readonly head: number };
  readonly verify: Checked;
}

/** Does what is asked. */
export type Handle = (request: HolderRequest) => Promise<HolderReplies[HolderRequest["op"]]>;

type Answer = { readonly ok: unknown } | { readonly error: string };

/** How often the holder looks, ms. */
const LOOK_EVERY = 500;
/** A holder that has not taken a request within this does not look, ms. */
const TAKEN_WITHIN = 5_000;
/** A check of a large log takes minutes, ms. */
const DONE_WITHIN = 3_600_000;

// Read by other versions of zgroup: do not rename.
const requestFile = (folder: string) => join(folder, "wish.json");
const answerFile = (folder: string, id: string) => join(folder, `answer-${id}.json`);

/** Answers the requests left in a folder, one at a time, until it is closed. */
export function answerRequests(folder: string, handle: Handle): { close(): void } {
  let busy = false;
  const timer = setInterval(async () => {
    if (busy || !existsSync(requestFile(folder))) return;
    busy = true;
    try {
      await answerNext(folder, handle);
    } catch {
      // Who asked will say that nobody answered.
    } finally {
      busy = false;
    }
  }, LOOK_EVERY);
  return { close: () => clearInterval(timer) };
}

async function answerNext(folder: string, handle: Handle): Promise<void> {
  const asked = load<HolderRequest & { id: string }>(requestFile(folder));
  rmSync(requestFile(folder));
  if (!asked || !/^[\w-]{16,64}$/.test(asked.id)) return;
  const { id, ...request } = asked;
  const answer: Answer = await handle(request).then(
    (ok) => ({ ok }),
    (error) => ({ error: sentence(error) }),
  );
  save(answerFile(folder, id), answer);
}

/**
 * Asks the holder of a folder.
 *
 * @throws {FolderUnusable} nobody takes the request; {UsageError} the holder could not do it
 */
export async function askHolder<Request extends HolderRequest>(
  folder: string,
  request: Request,
): Promise<HolderReplies[Request["op"]]> {
  const id = randomToken();
  save(requestFile(folder), { id, ...request });
  const begin = performance.now();
  try {
    for (;;) {
      const answer = load<Answer>(answerFile(folder, id));
      if (answer && "ok" in answer) return answer.ok as HolderReplies[Request["op"]];
      if (answer) throw new UsageError(answer.error);
      const waited = performance.now() - begin;
      const taken = !existsSync(requestFile(folder));
      if (waited > (taken ? DONE_WITHIN : TAKEN_WITHIN)) {
        throw new FolderUnusable(
          `Cannot ask the process that holds ${folder}: it does not answer; stop it and try again`,
        );
      }
      await wait(20);
    }
  } finally {
    rmSync(answerFile(folder, id), { force: true });
    if (performance.now() - begin > TAKEN_WITHIN) rmSync(requestFile(folder), { force: true });
  }
}
