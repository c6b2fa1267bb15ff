/** Lines that a server logs, by how much they matter. */

/** What matters most comes first; what is told at a level holds all before it. */
export const LEVELS = ["error", "warn", "info", "debug"] as const;

export type Level = (typeof LEVELS)[number];

/**
 * Where lines go; `fields` say of what a line is, for programs. `error`: it ends, or something in
 * it is broken; `warn`: somebody should look; `info`: who comes, goes and changes what; `debug`: a
 * line a request. A logger without `error` or `debug` gets errors as warnings, and no requests.
 */
export interface Logger {
  error?(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
  info(text: string, fields?: object): void;
  debug?(text: string, fields?: object): void;
}

/** The same logger with every level, whose own faults end nothing here. */
export function harmless(logger: Logger): Required<Logger> {
  const attempt = (work: () => void) => {
    try {
      work();
    } catch {
      // Where could it be told?
    }
  };
  return {
    error: (text, fields) =>
      attempt(() => logger.error ? logger.error(text, fields) : logger.warn(text, fields)),
    warn: (text, fields) => attempt(() => logger.warn(text, fields)),
    info: (text, fields) => attempt(() => logger.info(text, fields)),
    debug: (text, fields) => attempt(() => logger.debug?.(text, fields)),
  };
}
