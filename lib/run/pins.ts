/** Keys of registries pinned at the first use, in one small file. */

import { renameSync, writeFileSync } from "node:fs";
import { load } from "../identity/files.ts";
import { randomToken } from "../identity/keys.ts";
import type { Pins } from "../session/registry_client.ts";

/** Pins in a file, which is made at the first one. @throws {FolderUnusable} it cannot be read */
export function filePins(path: string): Pins {
  const pins = new Map(Object.entries(load<Record<string, string>>(path) ?? {}));
  return {
    get: (address) => pins.get(address),
    set(address, key) {
      pins.set(address, key);
      const temporary = `${path}.${randomToken(6)}`;
      const text = JSON.stringify(Object.fromEntries(pins), null, 2) + "\n";
      writeFileSync(temporary, text, { mode: 0o600, flush: true });
      renameSync(temporary, path);
    },
  };
}
