/** Groups that share a process, so that all of them are as warm as the first. */

import { Group, Registry } from "../../tests/support/inside.ts";
import type { GroupServer } from "../../lib/group/server.ts";
import { program } from "../programs.ts";
import { NAME } from "../servers.ts";

interface Hosted extends AsyncDisposable {
  readonly group: GroupServer;
}

const hosted = new Map<string, Hosted>();

await program({
  /** Starts a group in a folder, beside a registry of its own; the registry's address. */
  async open({ folder }: { folder: string }) {
    const stack = new AsyncDisposableStack();
    const registry = stack.use(await Registry.start({ port: 0 }));
    const group = stack.use(
      await Group.start({
        name: NAME,
        data: folder,
        rate: Infinity,
        registries: [registry.address],
      }),
    );
    hosted.set(folder, { group, [Symbol.asyncDispose]: () => stack.disposeAsync() });
    return { address: registry.address.split("#")[0] };
  },

  async close({ folder }: { folder: string }) {
    await hosted.get(folder)?.[Symbol.asyncDispose]();
    hosted.delete(folder);
  },
});
