/** Times as people type and read them. On the wire a time is ms since 1970, a whole number. */

import type { Temporal as TemporalTypes } from "temporal-polyfill";
import { UsageError } from "../errors.ts";

const Temporal: typeof TemporalTypes =
  (globalThis as unknown as { Temporal?: typeof TemporalTypes }).Temporal ??
    (await import("temporal-polyfill")).Temporal;

const AGE = /^(\d{1,6})([smhdw])$/;
/** What is meant as a duration, right or wrong: `3s`, `3`, `10x`; see {@linkcode parseDuration}. */
export const LIKE_DURATION = /^\d[\d.,:]*[a-z]{0,7}$/i;
const UNIT = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const CLOCK = /^\d{1,2}:\d{2}(:\d{2})?$/;
const DAY: Readonly<Record<string, number>> = { today: 0, yesterday: 1 };
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * The moment a person means, ms since 1970. Local time unless an offset is given; an age counts
 * back from `now`; a bare clock time is today.
 *
 * @throws {UsageError} with the forms that are understood
 */
export function parseTime(text: string, now: number = Date.now(), zone?: string): number {
  const typed = text.trim().replace(/^(["'])(.*)\1$/, "$2");
  const age = AGE.exec(typed);
  if (age) return Math.max(0, now - Number(age[1]) * UNIT[age[2] as keyof typeof UNIT]);
  const timeZone = zone ?? Temporal.Now.timeZoneId();
  try {
    if (CLOCK.test(typed)) {
      const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone);
      const clock = Temporal.PlainTime.from(typed.padStart(typed.length < 6 ? 5 : 8, "0"));
      return today.withPlainTime(clock).epochMilliseconds;
    }
    if (Object.hasOwn(DAY, typed.toLowerCase())) {
      const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone);
      return today.subtract({ days: DAY[typed.toLowerCase()] }).startOfDay().epochMilliseconds;
    }
    if (DATE.test(typed)) {
      return Temporal.PlainDate.from(typed).toZonedDateTime({ timeZone }).epochMilliseconds;
    }
    if (/(Z|[+-]\d{2}(:?\d{2})?)$/i.test(typed) && typed.includes(":")) {
      return Temporal.Instant.from(typed).epochMilliseconds;
    }
    const plain = Temporal.PlainDateTime.from(typed.replace(" ", "T"));
    return plain.toZonedDateTime(timeZone).epochMilliseconds;
  } catch (cause) {
    const forms =
      "HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], today, yesterday, ISO 8601, or an age: 15m, 2h, 3d";
    throw new UsageError(`Cannot read the time "${typed}": expected ${forms}`, { cause });
  }
}

/**
 * The end of a span, inclusive: the last millisecond of the day, minute or second that is named.
 *
 * @throws {UsageError} as {@linkcode parseTime}
 */
export function parseEnd(text: string, now: number, zone?: string): number {
  const typed = text.trim();
  const start = parseTime(typed, now, zone);
  if (Object.hasOwn(DAY, typed.toLowerCase())) {
    return parseTime(`${formatLocalDay(start, zone)} 23:59:59`, now, zone) + 999;
  }
  if (DATE.test(typed)) return parseTime(`${typed} 23:59:59`, now, zone) + 999;
  if (/(^|[T ])\d{1,2}:\d{2}$/.test(typed)) return start + 59_999;
  if (/(^|[T ])\d{1,2}:\d{2}:\d{2}$/.test(typed)) return start + 999;
  return start;
}

function formatLocalDay(ms: number, zone = Temporal.Now.timeZoneId()): string {
  const day = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone);
  return day.toPlainDate().toString();
}

/** Moments, ms since 1970; the end inclusive. */
export interface Span {
  readonly since: number;
  readonly until?: number;
}

/**
 * `FROM` or `FROM TO`; a bare clock time behind a day is of that day.
 *
 * @throws {UsageError} as {@linkcode parseTime}, or TO lies before FROM
 */
export function parseSpan(text: string, now: number = Date.now(), zone?: string): Span {
  return readSpan(text, now, zone) ?? { since: parseTime(text, now, zone) };
}

/** The same, undefined where the text is no TIME. @throws {UsageError} TO lies before FROM */
export function readSpan(
  text: string,
  now: number = Date.now(),
  zone?: string,
): Span | undefined {
  const words = text.trim().split(/\s+/);
  for (const cut of [words.length, 2, 1]) {
    const [from, to] = [words.slice(0, cut).join(" "), words.slice(cut).join(" ")];
    const [day] = /^\d{4}-\d{2}-\d{2}/.exec(from) ?? [];
    let since: number;
    let until: number;
    try {
      since = parseTime(from, now, zone);
      if (to === "") return { since };
      until = parseEnd(day && CLOCK.test(to) ? `${day} ${to}` : to, now, zone);
    } catch {
      continue; // It is cut elsewhere.
    }
    if (until >= since) return { since, until };
    throw new UsageError(
      `Cannot read from ${from} to ${to}: the end lies before the beginning; give the earlier first`,
    );
  }
  return undefined;
}

/** How long a person means, ms: `30s`, `15m`, `2h`, `7d`, `4w`. @throws {UsageError} */
export function parseDuration(text: string): number {
  const age = AGE.exec(text.trim());
  if (!age) {
    throw new UsageError(`Cannot read the duration "${text}": expected a form like 15m, 2h or 7d`);
  }
  return Number(age[1]) * UNIT[age[2] as keyof typeof UNIT];
}

/** `2026-11-20 23:57:15`, local. */
export function formatLocal(ms: number): string {
  const d = new Date(ms);
  const date = [d.getFullYear(), pad(d.getMonth() + 1), pad(d.getDate())].join("-");
  return `${date} ${formatClock(ms)}`;
}

/** `23:57:15`, local. */
export function formatClock(ms: number): string {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `Fri 20 Nov 2026`, local. */
export function formatDay(ms: number): string {
  const d = new Date(ms);
  return `${DAYS[d.getDay()]} ${d.getDate()} ${MONTHS[d.getMonth()]} ${d.getFullYear()}`;
}

/** `2026-11-20T23:57:15.253000`, local, as Python's `isoformat()` writes it. */
export function formatPython(ms: number): string {
  const micros = String(new Date(ms).getMilliseconds()).padStart(3, "0") + "000";
  return `${formatLocal(ms).replace(" ", "T")}.${micros}`;
}

function pad(part: number): string {
  return String(part).padStart(2, "0");
}
