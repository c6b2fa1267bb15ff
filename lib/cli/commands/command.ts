/** What a command is: a row of the table, what it works with, and the one runner of all. */

import { UsageError } from "../../errors.ts";
import { safeJson } from "../../text/filter.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import type { JoinedGroup, MemberInfo, Receipt, SendOptions } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import type { Given } from "../args.ts";
import type { Family, Usage } from "../help.ts";
import type { SoFar } from "../progress.ts";
import type { PageSource, Paging } from "../console/pager.ts";
import { type Style, success } from "../render.ts";
import type { Servers } from "../servers.ts";
import type { Bytes } from "../streams.ts";
import type { Argument } from "./arguments.ts";
import type { GroupRef, Known } from "./targets.ts";

/** What a command shows: lines, or remarks of the program itself. */
export type Shown = string | { readonly remark: string };

/** What a prompt, or a script in its place, has and one command and out has not. */
export interface AtPrompt {
  readonly commands: readonly Command[];
  /** True where a person sits in front of it. */
  readonly live: boolean;
  /** What a typed group can mean. */
  readonly known: Known;
  /** The groups that the user is a member of. */
  readonly joined: readonly JoinedGroup[];
  /** The one that plain text goes to. */
  readonly current: JoinedGroup | undefined;
  /** Set by `exit`. */
  ended: boolean;
  /** The next line that is typed; undefined when there is none. */
  nextLine(question: string): Promise<string | undefined>;
  print(text: string): void;
  /** A remark of the program itself. */
  say(text: string): void;
  /** FAILED and why. */
  fail(error: unknown): void;
  /** Runs a command; false when it failed, which was said. */
  run(command: Command, rest: string): Promise<boolean>;
  /** Remembers what a list showed: in this order numbers name it. */
  remember(groups: readonly { readonly name: string; readonly address: string }[]): void;
  /** Remembers who is in a group. */
  saw(group: GroupRef, members: readonly MemberInfo[]): void;
  /** What was not shown of a group yet. */
  unread(group: JoinedGroup): number;
  /** Plain text goes there, and its last messages are shown. */
  switchTo(group: JoinedGroup): void;
  /** Takes the messages of a group as they come; resolves when what was missed is there. */
  watch(group: JoinedGroup): Promise<void>;
  /** The user is no member of this group any more. */
  left(group: GroupRef): void;
  /** Draws what stands before the line again. */
  refresh(): void;
  /** The servers beside this prompt. */
  readonly servers: Servers;
}

/** What a command works with, wherever it is typed. */
export interface Context {
  readonly user: User;
  readonly home: string;
  readonly style: Style;
  readonly signal: AbortSignal;
  /** A person reads what is printed, and nothing else moves the cursor. */
  readonly marksRead: boolean;
  /** Undefined for one command and out. */
  readonly prompt?: AtPrompt;
  /**
   * Resolves when the group has it; without a receipt when it has not, and that was said. Otherwise
   * it rejects with the sentence that a person is told.
   */
  send(group: GroupRef, text: string, options?: SendOptions): Promise<Receipt | undefined>;
  /** Shows what long work has come to; undefined where nobody would see it. */
  readonly progress?: (soFar: SoFar) => void;
  /** Learns who is in a group, so that entries tell apart those whose names are alike. */
  meet(group: GroupRef): Promise<void>;
  /** An entry as lines, below those that were shown before. */
  entry(group: GroupRef, entry: GroupEntry): string;
  /** The same with its whole date, for lines that are shown in any order. */
  dated(group: GroupRef, entry: GroupEntry): string;
  /** Shows what is more than a screen; undefined where there is none for it. */
  readonly paging?: Paging | undefined;
}

/** What stands behind a command's name on a command line. */
export interface OnceArgs {
  readonly words: readonly string[];
  readonly given: Given;
  /** The groups that the user is a member of. */
  readonly joined: readonly JoinedGroup[];
  readonly input: Bytes;
  /** Bytes; undefined where nobody knows. */
  readonly inputSize: number | undefined;
  readonly now: number;
}

/** What every row has. */
interface Head {
  /** Names at the prompt, with `_`; the first one is the command's own. */
  readonly names: readonly string[];
  /** Understood like the names; first on a command line. */
  readonly short?: readonly string[];
  /** What follows an ordinary word of the prompt; see `Names` of console/line.ts. */
  readonly takes?: readonly Argument[];
  readonly most?: number;
  /** The page of help that it is on. */
  readonly family: Family;
  /** One line of explanation; {@linkcode Usage} has what differs in one place. */
  readonly help: string;
  /** Where it is no command of the prompt: what is done there instead, as a sentence. */
  readonly instead?: string;
  /** As `user.ts COMMAND …`, done by the program itself: it opens no user before. */
  readonly program?: Usage;
}

/** A row whose work is the user program's own. */
export interface ProgramCommand extends Head {
  readonly program: Usage;
  /** Options of its own, `json` included. */
  readonly options?: readonly string[];
  readonly prompt?: undefined;
  readonly once?: undefined;
}

/**
 * A row with arguments `A` and a result `R`. Everything in it throws when it is refused or fails.
 * A column that is absent says that there is no such thing.
 */
export interface Row<A, R> extends Head {
  /** At the prompt and in scripts; `read` makes arguments of what stands behind the name. */
  readonly prompt?: Usage & { read(rest: string, prompt: AtPrompt): A | Promise<A> };
  /** As `user.ts COMMAND …`. */
  readonly once?: Usage & {
    /** Fewest and most words after the name. */
    readonly words: readonly [least: number, most: number];
    read(typed: OnceArgs): A | Promise<A>;
  };
  /** Options of its own; `json` comes with the column. */
  readonly options?: readonly string[];
  /**
   * At the prompt: `at once`, because no server is asked; `first`, what is typed after it waits for
   * it, because another group may be the current one then; else behind what runs.
   */
  readonly pace?: "at once" | "first";
  /** A choice of the numbered menu. */
  readonly menu?: { readonly number: number; readonly text: string; readonly asks: readonly Ask[] };
  /** Results come one by one, and each is shown at once. */
  readonly atOnce?: boolean;
  run(context: Context, args: A): R | Promise<R> | AsyncGenerator<R>;
  /** A result as text, default SUCCESS; `index` counts those that came before. */
  text?(result: R, context: Context, args: A, index: number): readonly Shown[];
  /** What is said after all results, as text. */
  end?(count: number, context: Context, args: A): readonly Shown[];
  /** Where to go on in the pager when the results are more than a screen. */
  page?(context: Context, args: A, first: R): PageSource;
  /** A result as objects, one a line. */
  json?(result: R, args: A): readonly object[];
  /** What it changes at a prompt, when the result is shown. */
  after?(prompt: AtPrompt, result: R, args: A): void | Promise<void>;
}

/** What the menu asks for. */
export interface Ask {
  readonly question: string;
  /** Enter alone is an answer. */
  readonly optional?: boolean;
  /** A name with spaces is quoted: something follows it. */
  readonly quoted?: boolean;
}

/** A row of the table that can be run. */
export type Command = Row<unknown, unknown>;

/** Where results go. */
export interface Printer {
  readonly json?: boolean;
  /** Characters that are collected before they are printed. */
  readonly collect?: number;
  print(text: string): void | Promise<void>;
  remark(text: string): void | Promise<void>;
}

/**
 * Runs a command and prints its results as they come. Nothing is waited for between a result and its
 * line: SUCCESS stands before what the live feed brings at the same moment.
 */
export async function runCommand(
  command: Command,
  context: Context,
  args: unknown,
  { json = false, collect = 0, print, remark }: Printer,
): Promise<void> {
  const paging = !json && command.page ? context.paging : undefined;
  const most = paging ? Infinity : command.atOnce ? 0 : collect;
  let collected: Shown[] = [];
  let [size, rows] = [0, 0];
  const flush = async () => {
    const lines: string[] = [];
    const printLines = async () => {
      if (lines.length > 0) await print(lines.splice(0).join("\n"));
    };
    const all = collected;
    [collected, size] = [[], 0];
    for (const one of all) {
      if (typeof one === "string") {
        lines.push(one);
        continue;
      }
      await printLines();
      await remark(one.remark);
    }
    await printLines();
  };
  const show = async (shown: readonly Shown[]) => {
    for (const one of shown) {
      const line = typeof one === "string" ? one : one.remark;
      collected.push(one);
      size += line.length;
      rows += line.split("\n").length;
    }
    if (size >= most) await flush();
  };
  let count = 0;
  const take = async (result: unknown) => {
    if (context.prompt) context.signal.throwIfAborted();
    if (json) await show(command.json!(result, args).map(safeJson));
    else await show(command.text?.(result, context, args, count) ?? [success(context.style)]);
    count++;
    if (context.prompt) await command.after?.(context.prompt, result, args);
  };
  try {
    const results = command.run(context, args);
    if (!isAsync(results)) await take(await results);
    else {
      let first: unknown;
      for await (const result of results) {
        first ??= result;
        await take(result);
        if (paging && rows > paging.rows) {
          collected = [];
          return await paging.page(command.page!(context, args, first));
        }
      }
    }
    if (!json) await show(command.end?.(count, context, args) ?? []);
  } finally {
    await flush(); // What came before it failed came all the same.
  }
}

function isAsync(results: unknown): results is AsyncIterable<unknown> {
  return typeof results === "object" && results !== null && Symbol.asyncIterator in results;
}

/** The prompt of a command that is there only. */
export function promptOf({ prompt }: Context): AtPrompt {
  if (!prompt) throw new TypeError("a command of the prompt has no column `once`");
  return prompt;
}

/** Refuses options of a table that are not among a command's own. @throws {UsageError} */
export function refuseOthers(
  given: Given,
  table: object,
  own: readonly string[],
  { name, usage }: { readonly name: string; readonly usage: string },
): void {
  for (const option of [...given.flags, ...given.texts.keys()]) {
    if (!Object.hasOwn(table, option) || own.includes(option)) continue;
    throw new UsageError(`Cannot use --${option} with ${name}: expected ${usage}`);
  }
}

/** Refuses an option first where a command of the prompt takes none. @throws {UsageError} */
export function refuseOption({ prompt }: Command, rest: string): void {
  const [option] = /^--[a-z][\w-]*/.exec(rest) ?? [];
  if (option === undefined || prompt!.usage.includes("--")) return;
  throw new UsageError(
    `Cannot use ${option} at the prompt: expected ${
      prompt!.usage
    }; options are for user.ts COMMAND`,
  );
}
