/** Screens of other people: `user.ts follow` as processes, each line with the time it was read. */

import { track, untrack } from "./processes.ts";
import { deno } from "./servers.ts";

const JOIN_WITHIN = 20_000;

/** What a screen shows of an entry. */
export interface Shown {
  readonly seq: number;
  readonly text?: string;
}

/** One person's screen. */
export class Screen implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #over: Promise<unknown>;

  private constructor(child: Deno.ChildProcess, show: (shown: Shown, at: number) => void) {
    this.#child = child;
    track(child.pid);
    this.#over = this.#read(show);
  }

  /** Joins as a new user of `home`, and follows from `after` on. */
  static async open(
    { registry, group, home, after = 0, show }: {
      registry: string;
      group: string;
      home: string;
      after?: number;
      /** `at`: when the line was read, ms since 1970. */
      show(shown: Shown, at: number): void;
    },
  ): Promise<Screen> {
    const options = ["--registry", registry, "--home", home];
    const join = deno("user.ts", ["join", group, ...options]);
    const signal = AbortSignal.timeout(JOIN_WITHIN);
    const { success, stderr } = await new Deno.Command(join[0], { args: join.slice(1), signal })
      .output();
    if (!success) throw new Error(`Cannot join: ${new TextDecoder().decode(stderr)}`);
    const words = ["follow", group, "--json", "--after", `${after}`];
    const follow = deno("user.ts", [...words, ...options]);
    const child = new Deno.Command(follow[0], {
      args: follow.slice(1),
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new Screen(child, show);
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async #read(show: (shown: Shown, at: number) => void): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const at = performance.timeOrigin + performance.now();
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) show(JSON.parse(line), at);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#over;
    untrack(this.#child.pid);
  }
}

/** Percentiles of spans, ms. */
export function percentiles(spans: number[]): { p50: number; p99: number; max: number } {
  const sorted = spans.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
