/** `registry.ts`: says where groups are. */

import { UsageError } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { safeLine } from "../text/filter.ts";
import { atMost, COMMON, type Options, wholeNumber } from "./args.ts";
import { optionRows, pageOfOptions } from "./help.ts";
import { homeFolder } from "./home.ts";
import { type About, type Run, type ServerDoors, withArgs } from "./program.ts";
import { LOG_OPTIONS, OUTPUT_PAGE, serve } from "./serve.ts";
import type { Output } from "./streams.ts";

const OPTIONS: Options = {
  host: { type: "text", value: "HOST", help: "where to listen, default 127.0.0.1" },
  port: { type: "text", value: "PORT", help: "port, default 5555; 0 takes a free one" },
};

/** What `registry.ts --help` and `registry.ts help` say. */
export const ABOUT: About = {
  program: "registry.ts",
  options: { ...OPTIONS, ...LOG_OPTIONS },
  page([help, word]) {
    if (help !== "help" || word === undefined) return FIRST_PAGE;
    if (word === "output") return pageOfOptions(OUTPUT_PAGE, LOG_OPTIONS);
    throw new UsageError(`Cannot show help on "${safeLine(word)}": expected output`);
  },
};

const FIRST_PAGE = [
  "Usage: registry.ts [--host HOST] [--port PORT]",
  "",
  "Runs a registry: it says which groups live where. Groups and users go on talking",
  "when it stops, and its list is back soon after it is. It prints HOST:PORT#KEY:",
  "who is given that talks to this registry only; who is given HOST:PORT keeps the",
  "key met first.",
  "",
  "Options:",
  ...optionRows({ ...OPTIONS, ...COMMON }),
  "",
  "More: registry.ts help output",
  "Examples:",
  "  deno run -A registry.ts",
  "  deno run -A registry.ts --host 192.168.3.97",
];

/** Runs the registry program; the exit code. */
export function registryProgram(
  argv: readonly string[],
  { openRegistry, openLog }: Pick<ServerDoors, "openRegistry" | "openLog">,
  output: Output,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
    if (given.positionals[0] === "help") {
      atMost(given.positionals, 2);
      await output.print(ABOUT.page(given.positionals).join("\n"));
      return 0;
    }
    atMost(given.positionals, 0);
    const host = given.texts.get("host");
    const port = wholeNumber(given, "port", 0, 65_535);
    const home = homeFolder(given);
    const transport = given.texts.get("transport");
    return await serve(
      given,
      openLog,
      async (log) => {
        const registry = await openRegistry({ home, host, port, log, transport });
        if (host === undefined) {
          log.info("Only this machine reaches it: --host ADDRESS serves others");
        }
        return registry;
      },
      ({ address, others = [], key }) =>
        `Registry listens on ${address}` +
        (others.length > 0 ? `, for others ${others.join(" or ")}` : "") +
        ` (short key ${shortKey(key)}; Ctrl-C stops it)`,
      output,
      run,
    );
  });
}
