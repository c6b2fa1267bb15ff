/** Commands about the servers beside a screen: what runs, and how a group is hosted no more. */

import { UsageError } from "../../errors.ts";
import { safeLine } from "../../text/filter.ts";
import { servedLines } from "../render_servers.ts";
import type { Served } from "../servers.ts";
import { promptOf, type Row } from "./command.ts";
import { takeTarget } from "./targets.ts";

export const status: Row<void, Served | undefined> = {
  names: ["status"],
  most: 0,
  family: "program",
  help: "which servers run here, and how many are connected",
  prompt: { usage: "/status", example: "/status", read: () => {} },
  program: { usage: "status", help: "which servers run in the background", example: "status" },
  options: ["json"],
  run: (context) => promptOf(context).servers.look(context.user.id),
  text: (served) =>
    served ? servedLines(served) : ["Nothing is served here; create_group NAME does"],
};

export const stop: Row<string, string> = {
  names: ["stop"],
  most: 1,
  takes: ["group"],
  family: "groups",
  help: "serve a group of yours no more; its data is kept",
  prompt: {
    usage: "/stop G",
    example: "/stop Team",
    read(rest, { known }) {
      const taken = takeTarget(rest, known);
      if (taken) return taken.rest === "" ? taken.target : rest.trim();
      throw new UsageError("Cannot stop: expected a group that was made here, stop NAME");
    },
  },
  program: {
    usage: "stop [G]",
    help: "end what runs in the background, or one group of it",
    example: "stop",
  },
  options: ["json"],
  async run(context, name) {
    if (await promptOf(context).servers.unhost(name)) return name;
    throw new UsageError(notServed(name));
  },
  text: (name) => [{ remark: hostedNoMore(name) }],
};

/** What is said when a group was stopped. */
export function hostedNoMore(name: string): string {
  return `${
    safeLine(name)
  } is served no more and does not come back by itself; its data is kept, ` +
    "create_group with its name serves it again";
}

/** What is said of a group that is not served here. */
export function notServed(name: string): string {
  return `Cannot stop "${safeLine(name)}": it is not served here; status shows what is`;
}
