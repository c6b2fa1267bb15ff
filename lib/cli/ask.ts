/** Questions on a terminal, each with an answer that Enter takes. */

import process from "node:process";
import { createInterface } from "node:readline/promises";
import { UsageError } from "../errors.ts";
import { safeLine } from "../text/filter.ts";

/** One question. `problem` says why an answer cannot be used. */
export interface Question {
  readonly text: string;
  readonly standard?: string;
  readonly problem?: (answer: string) => string | undefined;
}

/**
 * Asks one after the other, each again until its answer can be used.
 *
 * @throws {UsageError} when the person leaves with Ctrl-D or Ctrl-C
 */
export async function ask(questions: readonly Question[], signal: AbortSignal): Promise<string[]> {
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  const left = new Promise<never>((_, reject) => {
    reader.once("close", () => reject(new UsageError("Cannot go on: a question has no answer")));
    reader.once("SIGINT", () => reader.close());
  });
  left.catch(() => {});
  const answers: string[] = [];
  try {
    for (const question of questions) {
      for (;;) {
        const typed = await Promise.race([reader.question(asked(question), { signal }), left]);
        const answer = typed.trim() || question.standard || "";
        const problem = answer === "" ? "an answer is needed" : question.problem?.(answer);
        if (problem === undefined) {
          answers.push(answer);
          break;
        }
        process.stdout.write(`  That cannot be used: ${safeLine(problem)}.\n`);
      }
    }
    return answers;
  } finally {
    reader.close();
  }
}

function asked({ text, standard }: Question): string {
  return standard ? `${text} [${standard}]: ` : `${text}: `;
}
