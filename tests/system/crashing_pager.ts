/** A pager with a defect: it throws when it is drawn at another width. */

import { pagingAlone } from "../../lib/cli/console/pager.ts";
import { PLAIN } from "../../lib/cli/render.ts";
import { main } from "../../lib/run/main.ts";
import type { GroupEntry } from "../../mod.ts";

const entry = { seq: 1, at: 0, text: "the only entry" } as GroupEntry;
let drawn = 0;
const source = {
  title: "Lab",
  async *read() {
    if (drawn === 0) yield await Promise.resolve(entry);
  },
  line: () => {
    if (++drawn > 1) throw new Error("a defect of the pager");
    return "the only entry";
  },
};

await main(async (signal) => {
  await pagingAlone(PLAIN, signal)!.page(source);
  return 0;
});
