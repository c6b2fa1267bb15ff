/** Redis's own client as a client program: one stream. */

import { createClient } from "@redis/client";
import { serveClient } from "../client.ts";

const NAME = "Bench";
const PAGE = 1_000;
let client: ReturnType<typeof createClient>;

await serveClient({
  async connect(address) {
    client = createClient({ url: `redis://${address}` });
    await client.connect();
  },
  publish: (text) => client.xAdd(NAME, "*", { text }),
  announce: (text) => Promise.all([client.xAdd(NAME, "*", { text }), client.publish(NAME, text)]),
  since: (time) => range(`${time}`),
  all: () => range("-"),
});

async function range(from: string): Promise<number> {
  let count = 0;
  while (true) {
    const page = await client.xRange(NAME, from, "+", { COUNT: PAGE }) ?? [];
    count += page.length;
    if (page.length < PAGE) return count;
    from = `(${page[page.length - 1].id}`;
  }
}
