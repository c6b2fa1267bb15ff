/** Which entries a person asks for. */

import { UsageError } from "../errors.ts";
import { parseTime } from "../text/time.ts";
import { type Given, wholeNumber } from "./args.ts";
import type { Range } from "./ports.ts";

/** The range of `--since`, `--until`, `--after`, `--before`, `--limit` and `--last`. */
export function rangeOf({ texts }: Given, now: number): Range {
  const [since, until] = [texts.get("since"), texts.get("until")];
  const [limit, last] = [texts.get("limit"), texts.get("last")];
  if (limit !== undefined && last !== undefined) {
    throw new UsageError("Cannot use --limit with --last: give one, the first N or the last N");
  }
  return {
    ...(since === undefined ? {} : { since: parseTime(since, now) }),
    ...(until === undefined ? {} : { until: parseEnd(until, now) }),
    ...numbers(texts, "after"),
    ...numbers(texts, "before"),
    ...(limit === undefined ? {} : { limit: wholeNumber("--limit", limit, 1) }),
    ...(last === undefined ? {} : { limit: wholeNumber("--last", last, 1), last: true }),
  };
}

/** The end of a span, inclusive: the last millisecond of the day, minute or second that is named. */
export function parseEnd(text: string, now: number, zone?: string): number {
  const typed = text.trim();
  const start = parseTime(typed, now, zone);
  if (/^\d{4}-\d{2}-\d{2}$/.test(typed)) return parseTime(`${typed} 23:59:59`, now, zone) + 999;
  if (/(^|[T ])\d{1,2}:\d{2}$/.test(typed)) return start + 59_999;
  if (/(^|[T ])\d{1,2}:\d{2}:\d{2}$/.test(typed)) return start + 999;
  return start;
}

function numbers(texts: Given["texts"], name: "after" | "before"): Range {
  const typed = texts.get(name);
  return typed === undefined ? {} : { [name]: wholeNumber(`--${name}`, typed) };
}
