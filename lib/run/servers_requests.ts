/** What is asked of the servers of a home, a process of its own. See `requests.ts`. */

import { join } from "node:path";
import { parseAddress } from "../text/addresses.ts";
import { nameProblem } from "../text/names.ts";
import type { Failure } from "./requests.ts";

/** What can be asked. */
export type ServersRequest =
  | {
    /** Serves a registry; the one that is served already, where that has this address. */
    readonly op: "registry";
    readonly address: string;
  }
  | {
    readonly op: "host";
    readonly name: string;
    /** Default a free port, or the group's former one, of the host that all are served at. */
    readonly address?: string;
    readonly registries: readonly string[];
    /** Bring it back whenever the servers of this home start again. */
    readonly keep: boolean;
    /** Only who is invited may enter. */
    readonly private?: boolean;
    /** Tell no registry of it. */
    readonly unlisted?: boolean;
  }
  | { readonly op: "revive"; readonly registries: readonly string[] }
  | { readonly op: "unhost"; readonly name: string }
  | { readonly op: "look"; readonly except?: string }
  | { readonly op: "detach" }
  | { readonly op: "stop" };

/** What the process says of itself on standard output, a line of JSON each. */
export type ServersNews =
  /** It takes requests. */
  | { readonly ready: true }
  /** Another process serves this home: ask that one. */
  | { readonly held: true }
  /** It outlasts who started it from now on. */
  | { readonly background: true }
  /** It could not begin. */
  | { readonly failure: Failure }
  /** Something ended by itself, a sentence. */
  | { readonly trouble: string };

/** The folder that tells who serves a home, and is held by it. */
export function serversFolder(home: string): string {
  return join(home, "servers");
}

/** The file of their log lines. */
export function serversLog(home: string): string {
  return join(home, "logs", "servers.log");
}

/** The request of a value; undefined where it is none. */
export function serversRequest(value: unknown): ServersRequest | undefined {
  const request = (value ?? {}) as Record<string, unknown>;
  const { op, name, address, registries, keep, except } = request;
  switch (op) {
    case "registry":
      return isAddress(address) ? { op, address } : undefined;
    case "host":
      if (!isName(name) || !areTexts(registries) || typeof keep !== "boolean") return undefined;
      if (address !== undefined && typeof address !== "string") return undefined;
      return {
        ...{ op, name, registries, keep },
        ...(address === undefined ? {} : { address }),
        ...(request.private === true ? { private: true } : {}),
        ...(request.unlisted === true ? { unlisted: true } : {}),
      };
    case "revive":
      return areTexts(registries) ? { op, registries } : undefined;
    case "unhost":
      return isName(name) ? { op, name } : undefined;
    case "look":
      return typeof except === "string" ? { op, except } : { op };
    case "detach":
    case "stop":
      return { op };
    default:
      return undefined;
  }
}

function isName(value: unknown): value is string {
  return typeof value === "string" && nameProblem(value) === undefined;
}

function isAddress(value: unknown): value is string {
  return typeof value === "string" && parseAddress(value) !== undefined;
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
