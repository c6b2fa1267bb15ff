/** `registry.ts`: says where groups are. */

import { shortKey } from "../identity/keys.ts";
import { atMost, COMMON, type Options, wholeNumber } from "./args.ts";
import { optionRows } from "./help.ts";
import { homeFolder } from "./home.ts";
import { type About, type Run, type ServerDoors, withArgs } from "./program.ts";
import { LOG_OPTIONS, serve } from "./serve.ts";
import type { Output } from "./streams.ts";

const OPTIONS: Options = {
  host: { type: "text", value: "HOST", help: "where to listen, default 127.0.0.1" },
  port: { type: "text", value: "PORT", help: "port, default 5555; 0 takes a free one" },
  ...LOG_OPTIONS,
};

/** What `registry.ts --help` says, whatever stands before it. */
export const ABOUT: About = {
  program: "registry.ts",
  options: OPTIONS,
  page: () => [
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
    "Examples:",
    "  deno run -A registry.ts",
    "  deno run -A registry.ts --host 192.168.3.97",
  ],
};

/** Runs the registry program; the exit code. */
export function registryProgram(
  argv: readonly string[],
  { openRegistry, openLog }: Pick<ServerDoors, "openRegistry" | "openLog">,
  output: Output,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
    if (given.positionals[0] === "help") {
      await output.print(ABOUT.page([]).join("\n"));
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
      (log) => openRegistry({ home, host, port, log, transport }),
      ({ address, key }) =>
        `Registry listens on ${address} (short key ${shortKey(key)}; Ctrl-C stops it)`,
      output,
      run,
    );
  });
}
