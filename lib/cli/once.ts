/** One command and out: finds the row of a command line and runs it. */

import { BadReply, Closed, Interrupted, UsageError } from "../errors.ts";
import { safeLine } from "../text/filter.ts";
import { nearest } from "../text/nearest.ts";
import type { User } from "../user/user.ts";
import { atMost, type Given } from "./args.ts";
import {
  type Command,
  type Context,
  type ProgramCommand,
  refuseOthers,
  runCommand,
} from "./commands/command.ts";
import { COMMAND_OPTIONS, ONCE_COMMANDS } from "./commands/table.ts";
import { pagingAlone } from "./console/pager.ts";
import type { Call } from "./program.ts";
import { COMMAND_WORDS, entryLine, explain, explainSend, failed, notice } from "./render.ts";
import { People } from "./people.ts";

/** A row that is run with a user. */
export type OnceCommand = Command & { readonly once: NonNullable<Command["once"]> };

/** Characters that are collected before they are written to a file or a pipe. */
const CHUNK = 16_384;

/** After this time without an answer a person is told that it is waited for, ms. */
const WAITS = 2_000;

/** Exit code of what Ctrl-C ended. */
export const INTERRUPTED = 130;

/** Names on a command line, with `-`, the short ones first. */
export function onceNames({ names, short = [], once }: Command | ProgramCommand): string[] {
  if (!once) return [names[0]];
  return [...short, ...names].map((name) => name.replaceAll("_", "-"));
}

/** Options that a command takes beside those of every command. */
export function onceOptions({ options = [], json }: Pick<Command, "options" | "json">) {
  return json ? ["json", ...options] : options;
}

/**
 * The command of a command line, `-` and `_` alike.
 *
 * @throws {UsageError} unknown command, wrong number of words, an option of another command
 */
export function findCommand(given: Given): OnceCommand {
  const [typed, ...words] = given.positionals;
  const name = typed.replaceAll("_", "-");
  const found = ONCE_COMMANDS.find((command): command is OnceCommand =>
    command.once !== undefined && onceNames(command).includes(name)
  );
  if (!found) {
    const near = nearest(name, ONCE_COMMANDS.flatMap(onceNames));
    const hint = near ? `did you mean ${near}?` : "help shows what there is";
    throw new UsageError(`Cannot run "${safeLine(typed)}": there is no such command, ${hint}`);
  }
  const { words: [least, most], usage } = found.once;
  if (words.length < least) {
    throw new UsageError(`Cannot run ${name}: something is missing, expected ${usage}`);
  }
  atMost(words, most);
  refuseOthers(given, COMMAND_OPTIONS, onceOptions(found), { name, usage });
  return found;
}

/** Runs a command; a refusal or failure is one sentence on standard error and exit code 1. */
export async function runOnce(
  command: OnceCommand,
  user: User,
  { given, home, doors: { stdin, stdinSize }, output, run: { signal } }: Call,
): Promise<number> {
  const words = given.positionals.slice(1);
  const json = given.flags.has("json");
  const onTerminal = output.style.columns !== undefined;
  let people = new People();
  let told = false;
  try {
    const input = { input: stdin, inputSize: stdinSize?.() };
    const joined = user.joined();
    const args = await command.once.read({ words, given, joined, ...input, now: Date.now() });
    const lineOf: Context["entry"] = (_, entry) => entryLine(entry, output.style, { people });
    const context: Context = {
      user,
      home,
      style: output.style,
      signal,
      // A script that reads must not hide messages from the person.
      marksRead: onTerminal && !json,
      send: async ({ id, name }, text, options) => {
        const waits = options?.within !== undefined && !told && setTimeout(() => {
          if (told) return;
          told = true;
          void output.complain(notice(`${name} does not answer yet; Ctrl-C stops waiting for it`));
        }, WAITS);
        try {
          return await user.send(id, text, options);
        } catch (cause) {
          if (cause instanceof UsageError) throw cause;
          if (cause instanceof Closed && signal.aborted) {
            throw new Interrupted(`Stopped: ${COMMAND_WORDS.kept}`, { cause });
          }
          const waited = options?.within !== undefined;
          throw new Error(explainSend(cause, COMMAND_WORDS, name, waited), { cause });
        } finally {
          if (waits) clearTimeout(waits);
        }
      },
      // What is printed at the same terminal shows how far it is.
      ...(json && onTerminal ? {} : { progress: (soFar) => output.progress?.(soFar) }),
      ...(json ? {} : { paging: pagingAlone(output.style, signal) }),
      async meet({ id }) {
        // What has names alone is read by a person.
        if (json) return;
        people = new People(
          await user.members(id).catch((error: unknown) => {
            if (error instanceof BadReply) return []; // What it has else may be good.
            throw error;
          }),
        );
      },
      entry: lineOf,
      dated: lineOf,
    };
    await runCommand(command, context, args, {
      json,
      collect: onTerminal ? 0 : CHUNK,
      print: (text) => output.print(text),
      remark: (text) => output.complain(notice(text)),
    });
    return 0;
  } catch (error) {
    if ((error as { code?: unknown })?.code === "EPIPE") return 0;
    if (error instanceof Interrupted) {
      await output.complain(notice(error.message));
      return INTERRUPTED;
    }
    if (error instanceof UsageError || signal.aborted) throw error;
    const target = command.once.words[0] > 0 ? words[0] : undefined;
    await output.complain(failed(explain(error, COMMAND_WORDS, target)));
    return 1;
  } finally {
    output.progress?.(undefined);
  }
}
