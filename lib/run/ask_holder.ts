/** Asks the process that holds a folder; see `requests.ts`. */

import { connect } from "node:net";
import { rightsProblem } from "../disk/rights.ts";
import { FolderUnusable } from "../errors.ts";
import { inSeconds } from "../text/counted.ts";
import type { Watch } from "../log/log.ts";
import type { HolderReplies, HolderRequest } from "./group_requests.ts";
import { type Answer, errorOf, MAX_ANSWER, note, toLine } from "./requests.ts";

/** A holder speaks each second; one that is silent for longer than this hangs, ms. */
const SILENCE = 60_000;

/** Asks the holder of a group's folder; see {@linkcode ask}. */
export function askHolder<Request extends HolderRequest>(
  folder: string,
  request: Request,
  watch?: Watch,
  silence?: number,
): Promise<HolderReplies[Request["op"]] | undefined> {
  return ask(folder, request, watch, silence);
}

/**
 * Asks the holder of a folder, and ends the request when the signal does. Undefined where nobody
 * listens, or the holder ended before it began with this: the folder may be free now.
 *
 * @throws what the holder threw, as it threw it; {FolderUnusable} it hangs, it ended meanwhile, or
 * it may not be asked
 */
export async function ask<Reply extends object>(
  folder: string,
  request: object,
  { signal, progress }: Watch = {},
  silence: number = SILENCE,
): Promise<Reply | undefined> {
  const { socket: path, token } = note(folder) ?? {};
  if (path === undefined || token === undefined) return undefined;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<object | undefined>();
  const cannot = `Cannot ask the process that holds ${folder}`;
  const socket = connect(path);
  let begun = false;
  let said = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const hangs = `it has said nothing for ${inSeconds(silence)}; stop it and try again`;
      reject(new FolderUnusable(`${cannot}: ${hangs}`));
    }, silence);
  };
  const take = (answer: Answer) => {
    if ("ok" in answer) resolve(answer.ok);
    else if ("error" in answer) reject(errorOf(answer.error));
    else if ("waiting" in answer) progress?.(0, 0);
    else {
      begun = true;
      progress?.(...answer.progress);
    }
  };
  const ended = () => {
    if (begun) reject(new FolderUnusable(`${cannot}: it ended before it was done; try again`));
    else resolve(undefined);
  };
  const aborted = () => reject(signal!.reason);
  signal?.addEventListener("abort", aborted);
  heard();
  socket.setEncoding("utf8").on("data", (text: string) => {
    heard();
    const lines = (said + text).split("\n");
    said = lines.pop()!;
    try {
      if (said.length > MAX_ANSWER) throw new RangeError("the line does not end");
      for (const line of lines) take(JSON.parse(line));
    } catch (cause) {
      reject(new FolderUnusable(`${cannot}: it does not speak as a holder does`, { cause }));
    }
  });
  socket.on("close", ended);
  socket.on("error", (cause: { code?: unknown }) => {
    if (cause.code !== "EACCES" && cause.code !== "EPERM") return; // "close" follows.
    const why = rightsProblem(path, "write") ?? "this user may not";
    reject(new FolderUnusable(`${cannot}: ${why}`, { cause }));
  });
  socket.write(toLine({ token, request }));
  try {
    return await promise as Reply | undefined;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
    socket.destroy();
  }
}
