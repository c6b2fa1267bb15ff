/** What runs beside a screen, as a person or a script reads it. */

import { shortKey } from "../identity/keys.ts";
import { safeLine } from "../text/filter.ts";
import { formatLocal } from "../text/time.ts";
import { columns } from "./args.ts";
import type { Served } from "./servers.ts";

/** Lines for a person. */
export function servedLines(served: Served): string[] {
  const { folder, pid, background, since, registry, groups, log } = served;
  const where = background ? "in the background" : "beside the terminal that started them";
  const key = (of: { readonly key: string }) => `(short key ${shortKey(of.key)})`;
  return [
    `Servers of ${folder}: ${where}, pid ${pid}, since ${formatLocal(since)}`,
    ...columns([
      ...(registry ? [["registry", `${registry.address} ${key(registry)}`] as const] : []),
      ...groups.map((group) =>
        [
          safeLine(group.name),
          `${group.address} ${key(group)}, ${group.connected} connected`,
        ] as const
      ),
      ["log", log],
    ]),
  ];
}

/** One object for a script. */
export function servedFields(served: Served): object {
  return { running: true, ...served, since: new Date(served.since).toISOString() };
}
