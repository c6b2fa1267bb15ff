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
  const profile = await takeProfile(home, hold);
  console.log(`has ${profile.folder}`);
  await lines.next();
  profile.release(); // What nobody refers to is collected, and its lock goes with it.
} else {
  const user = await connect({ home, registries: [] });
  console.log(`has ${user.id}`);
  await user.close();
}
process.exit(0);
