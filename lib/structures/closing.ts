/** Closing what consists of parts. */

/** Runs each step when the one before has ended, whatever fails; answers what failed. Never rejects. */
export async function everyStep(...steps: readonly (() => unknown)[]): Promise<Error[]> {
  const failed: Error[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failed.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  return failed;
}

/** Resolves with the work, or after `ms` without it: what goes on is ended by a later step. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
