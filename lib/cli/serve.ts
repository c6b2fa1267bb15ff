/** What a registry and a group have in common on the screen: one line where it listens, then wait. */

import { sentence } from "../errors.ts";
import type { Output } from "./output.ts";
import type { LogSink, Run, Running } from "./ports.ts";
import { failed } from "./render.ts";

/**
 * Runs a server until Ctrl-C (exit code 0) or until it stops by itself (1 when its log failed).
 * Everything opened is handed to `run.onClose`.
 */
export async function serve(
  log: LogSink,
  open: () => Promise<Running>,
  says: (running: Running) => string,
  output: Output,
  { signal, onClose }: Run,
): Promise<number> {
  onClose(() => log.close());
  const running = await open();
  onClose(() => running.close());
  await output.print(says(running));
  const interrupted = new Promise<"interrupted">((resolve) => {
    if (signal.aborted) resolve("interrupted");
    signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  const stopped = running.stopped.catch((error: unknown) => new Error(sentence(error)));
  const ended = await Promise.race([interrupted, stopped]);
  if (!(ended instanceof Error)) return 0;
  await output.complain(failed(ended));
  return 1;
}
