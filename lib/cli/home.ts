/** Where things are kept, and which registries are asked, when nobody says. */

import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { DEFAULT_REGISTRY } from "../text/addresses.ts";
import { checkedRegistry, type Given } from "./args.ts";

/** The parts of a process that decide. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** The person's own folder. */
  readonly userHome: string;
}

/** The one folder of everything kept: `--home`, `$ZGROUP_HOME`, or the platform's data folder. */
export function homeFolder(given: Given, { env, platform, userHome }: Surroundings): string {
  const chosen = given.texts.get("home") ?? env.ZGROUP_HOME;
  if (chosen !== undefined && chosen !== "") return chosen;
  if (given.texts.has("home")) throw new UsageError("Cannot use --home: expected a folder");
  if (env.XDG_DATA_HOME) return join(env.XDG_DATA_HOME, "zgroup");
  if (platform === "win32") {
    return join(env.APPDATA ?? join(userHome, "AppData", "Roaming"), "zgroup");
  }
  if (platform === "darwin") return join(userHome, "Library", "Application Support", "zgroup");
  return join(userHome, ".local", "share", "zgroup");
}

/** The registries: every `--registry`, else `$ZGROUP_REGISTRY` (commas), else this machine's. */
export function registriesOf(given: Given, { env }: Pick<Surroundings, "env">): string[] {
  const options = given.lists.get("registry") ?? [];
  if (options.length > 0) return unique(options.map((text) => checkedRegistry("--registry", text)));
  const listed = (env.ZGROUP_REGISTRY ?? "").split(",").map((text) => text.trim()).filter(Boolean);
  if (listed.length === 0) return [DEFAULT_REGISTRY];
  return unique(listed.map((text) => checkedRegistry("$ZGROUP_REGISTRY", text)));
}

/** The engine that was asked for, for the options of what is opened. */
export function transportOf(given: Given): { transport?: string } {
  const transport = given.texts.get("transport");
  return transport === undefined ? {} : { transport };
}

function unique(addresses: string[]): string[] {
  return [...new Set(addresses)];
}
