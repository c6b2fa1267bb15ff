/**
 * What several processes of one user do at the same moment: `hold HOME` takes a profile of a home,
 * `user HOME` opens its user. Says `ready`, waits for a line, does it, says what came of it, and stays
 * until its input ends.
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { takeProfile } from "../../lib/cli/home.ts";
import { holdFolder } from "../../lib/run/hold.ts";
import { connect } from "../../mod.ts";

const [what, home] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log("ready");
await lines.next();
if (what === "hold") {
  const hold = (folder: string) => Promise.resolve(holdFolder(folder));
  console.log(`has ${(await takeProfile(home, hold)).folder}`);
  await lines.next();
} else {
  const user = await connect({ home, registries: [] });
  console.log(`has ${user.id}`);
  await user.close();
}
process.exit(0);
