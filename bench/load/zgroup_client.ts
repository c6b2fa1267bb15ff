/** Our client library as a client program. */

import { connect, type User } from "../../mod.ts";
import { serveClient } from "../client.ts";

const NAME = "Bench";
/** A busy machine may take long; nothing is measured then, but nothing breaks. */
const WITHIN = 30_000;
let user: User | undefined;

await serveClient({
  async connect(address) {
    await user?.close();
    user = await connect({ name: "bench", registries: [address] });
    await user.join(NAME);
  },
  publish: (text) => user!.send(NAME, text, { within: WITHIN }),
  async since(since) {
    let count = 0;
    for await (const _ of user!.read(NAME, { since })) count++;
    return count;
  },
  async all() {
    let count = 0;
    for await (const { kind } of user!.read(NAME)) if (kind === "message") count++;
    return count;
  },
});
