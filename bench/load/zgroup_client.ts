/** Our client library as a client program. */

import { connect, type User } from "../../mod.ts";
import { serveClient } from "../client.ts";

/** A busy machine may take long; nothing is measured then, but nothing breaks. */
const WITHIN = 30_000;
let group = "Bench";
let user: User | undefined;

await serveClient({
  async connect(address, name = group) {
    group = name;
    await user?.close();
    user = await connect({ name: "bench", registries: [address] });
    await user.join(group);
  },
  publish: (text) => user!.send(group, text, { within: WITHIN }),
  async since(since) {
    let count = 0;
    for await (const _ of user!.read(group, { since })) count++;
    return count;
  },
  async all() {
    let count = 0;
    for await (const { kind } of user!.read(group)) if (kind === "message") count++;
    return count;
  },
});
