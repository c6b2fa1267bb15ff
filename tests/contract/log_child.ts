/** The other process of `log_sqlite_test.ts`: opens the log of a folder and says what happens. */

import process from "node:process";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { append, Writer } from "./log_support.ts";

const [mode, folder] = process.argv.slice(2);
const log = sqliteLog(folder);
const say = (line: string | number) => console.log(line);
const name = (error: unknown) => (error as Error).name;

try {
  const { head } = await log.open();
  say(`open ${head}`);
  if (mode === "append") await appendUntilError(new Writer(head + 1));
  process.stdin.resume();
} catch (error) {
  say(name(error));
}

async function appendUntilError(writer: Writer) {
  for (;;) {
    try {
      const batch = writer.many(10);
      await append(log, batch);
      say(batch.first + batch.count - 1);
    } catch (error) {
      say(name(error));
      break;
    }
  }
  await log.append(writer.next - 11, { batches: [] }).catch((error) => say(name(error)));
  const [newest] = await log.read({ last: true, limit: 1 });
  say(`newest ${newest.first + newest.count - 1}`);
}
