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
