/**
 * A group in a process of its own: its options as JSON, then `up ADDRESS`; `part …` whenever it has
 * another part among several servers. Answers `accounts` with what its peers hold and what happened
 * to them, as JSON.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { Group } from "../../../mod.ts";
import { obeyInput } from "./input.ts";

const options = JSON.parse(process.argv[2]);
const say = (line: string) => writeSync(1, line + "\n");
/** A server of a shared log says which part it has. */
const PART = /^(Holds|Follows|Waits)\b/;
const group = await Group.start({
  rate: Infinity,
  ...options,
  log: {
    info: (text) => {
      if (PART.test(text)) say(`part ${text}`);
    },
    warn: (text) => say(`warn ${text}`),
    close: () => Promise.resolve(),
  },
});
obeyInput({
  accounts: () => {
    const { connections, strangers, held, most, counts } = group.accounts;
    const told = { connections, strangers, held, most, counts: Object.fromEntries(counts) };
    return JSON.stringify(told);
  },
});
process.on("SIGTERM", () => void group.close());
say(`up ${group.address}`);
const failure = await group.stopped;
if (failure) say(`stopped ${failure.message}`);
process.exit(failure ? 1 : 0);
