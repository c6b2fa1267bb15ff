/** Keys of registries pinned at the first use, in one small file. */

import { load, save } from "../disk/files.ts";
import { keptProblem } from "../protocol/kept.ts";
import type { Pins } from "../session/registry_client.ts";

/** Pins in a file, which is made at the first one. @throws {FolderUnusable} it cannot be read */
export function filePins(path: string): Pins {
  const pins = new Map(Object.entries(loadPins(path) ?? {}));
  return {
    get: (address) => pins.get(address),
    set(address, key) {
      pins.set(address, key);
      save(path, Object.fromEntries(pins));
    },
  };
}

/** Address → key; undefined when there is no file. @throws {FolderUnusable} it cannot be read */
export function loadPins(path: string): Readonly<Record<string, string>> | undefined {
  return load(path, {
    problem: (value) => keptProblem("pins", value),
    wayOut: "put a copy of it back, or remove it: then whoever answers as a registry is believed " +
      "once more as at the first time",
  });
}
