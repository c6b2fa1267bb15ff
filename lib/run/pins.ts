/** Keys of registries pinned at the first use, in one small file. */

import { load, save } from "../disk/files.ts";
import type { Pins } from "../session/registry_client.ts";

/** Pins in a file, which is made at the first one. @throws {FolderUnusable} it cannot be read */
export function filePins(path: string): Pins {
  const pins = new Map(Object.entries(load<Record<string, string>>(path) ?? {}));
  return {
    get: (address) => pins.get(address),
    set(address, key) {
      pins.set(address, key);
      save(path, Object.fromEntries(pins));
    },
  };
}
