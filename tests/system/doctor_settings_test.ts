/** `user.ts doctor --log`: what it says of databases that are not as they should be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { closing } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { says } from "./doctor_says.ts";
import { Folder } from "./world.ts";

const skip = availablePostgres() ?? false;

test(
  "doctor names what a database would lose, whom it lets in, and hosts that are none",
  { skip },
  () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const settings = { fsync: "off", full_page_writes: "off" };
      const cluster = keep(await PostgresCluster.start({ settings }));
      const { url, password } = cluster;
      const { wrong } = await says(path, url);
      assert.equal(wrong.length, 3, wrong.join("\n"));
      assert.match(wrong[0], /fsync = off; .*set fsync = on/);
      assert.match(wrong[1], /full_page_writes = off/);
      assert.match(wrong[2], /synchronous_standby_names = "".*--single-copy/);
      assert.equal((await says(path, url, "--single-copy")).wrong.length, 2);
      const other = await says(path, url.replace(password, "wrong"));
      assert.match(other.wrong[0], /refuses the password; give the right one/);
      assert.match(other.wrong[1], /none of its hosts is the primary/);
      const none = await says(path, "postgres://nobody.invalid/x");
      assert.match(none.wrong[0], /database nobody.invalid:5432: is a name that nobody knows/);
      assert.match((await says(path, "mysql://h/x")).wrong[0], /Cannot use the URL of the log/);
    }),
);
