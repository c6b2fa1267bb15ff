/**
 * A second group on the data folder of a first is refused with a clear sentence, and a kill leaves
 * no lock behind.
 */

import { join } from "node:path";
import { Group } from "../../mod.ts";
import { type Fault, fault } from "./support/fault.ts";
import { GroupProcess } from "./support/servers.ts";

const SENTENCE = /another process uses it, stop that one or choose another folder/;

/** A second one that runs for this long was not refused, ms. */
const ENDS_WITHIN = 10_000;

await fault(async (fault) => {
  const data = join(fault.folder, "group");
  const options = { name: "Lab", address: "127.0.0.1:0", data, registries: [] };
  for (let i = 0; i < fault.size(3, 20); i++) {
    const first = new GroupProcess(options);
    fault.onClose(() => first.child.kill());
    await first.start();
    const second = new GroupProcess(options);
    second.spawn();
    const goesOn = setTimeout(() => second.child.signal("SIGKILL"), ENDS_WITHIN);
    const { code } = await second.child.ended;
    clearTimeout(goesOn);
    const said = SENTENCE.test(second.child.errors);
    fault.expect(code === 1 && said, `a second process: ${code}, ${second.child.errors}`);
    if (said) fault.count("refused");
    await inThisProcess(fault, options);
    await first.child.kill();
    fault.count("kills");
  }
  const last = new GroupProcess(options);
  await last.start();
  fault.expect(await last.child.stop() === 0, "the last start did not end well");
});

async function inThisProcess(fault: Fault, options: { name: string; data: string }) {
  const error = await Group.start({ ...options, registries: [] })
    .then((group) => group.close(), (error) => error);
  fault.expect(SENTENCE.test(String(error)), `a second group here: ${error}`);
}
