/** `user.ts doctor --log`: what it says of real databases. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { closing } from "../support.ts";
import { Group } from "../support/inside.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const skip = availablePostgres() ?? false;

/** What the doctor says of a database: its lines about that, and the exit code. */
async function says(home: string, url: string, ...options: string[]) {
  const where = ["--home", home, "--registry", "127.0.0.1:1"];
  const doctor = new Process(
    ours("user.ts", "doctor", "--json", "--log", url, ...where, ...options),
  );
  try {
    await doctor.end(30_000);
  } finally {
    await doctor.kill();
  }
  const password = /:([^:@]+)@/.exec(url)?.[1];
  assert.ok(!password || !doctor.output.includes(password), "the password is shown");
  const found: { good: boolean; text: string; advice?: string }[] = doctor.output.split("\n")
    .filter((line) => /"text":"(database|group|Cannot)/.test(line)).map((line) => JSON.parse(line));
  const wrong = found.filter(({ good }) => !good);
  return {
    all: found.map(({ text }) => text),
    wrong: wrong.map(({ text, advice }) => `${text}; ${advice}`),
    output: doctor.output,
  };
}

test("doctor finds nothing wrong with a primary and two standbys in sync, and who holds what", {
  skip,
}, () =>
  closing(async (keep) => {
    const { path } = keep(new Folder());
    const cluster = keep(await PostgresCluster.start({ nodes: 3 }));
    const { primary, nodes, url } = cluster;
    const empty = await says(path, url);
    assert.deepEqual(empty.wrong, [], empty.output);
    assert.ok(empty.all.includes("database: no group was kept in it yet"));
    const options = { name: "Lab", database: url, unlisted: true, data: `${path}/data` };
    const lab = keep(await Group.start(options));
    const { all, wrong, output } = await says(path, url);
    assert.deepEqual(wrong, [], output);
    for (const node of nodes) {
      const role = node === primary ? "primary" : "standby";
      assert.ok(
        all.some((text) =>
          text.startsWith(`database ${node.address}: PostgreSQL`) &&
          text.endsWith(role)
        ),
        output,
      );
    }
    assert.ok(
      all.includes(`group "Lab" in the database: up to entry 1, held by ${lab.address}`),
      output,
    );
    assert.ok(
      all.some((text) => /2 standbys connected .*GRANT pg_read_all_stats TO zgroup/.test(text)),
    );
    await primary.query("GRANT pg_read_all_stats TO zgroup");
    assert.ok((await says(path, url)).all.some((text) => /2 of 2 standbys in sync$/.test(text)));
    await Promise.all(nodes.filter((node) => node !== primary).map((node) => node.kill()));
    const alone = await says(path, url);
    assert.equal(alone.wrong.length, 4, alone.output);
    assert.match(alone.wrong.join("\n"), /refuses connections; see whether it runs/);
    assert.match(alone.wrong.join("\n"), /0 of 0 standbys in sync; groups accept nothing until/);
    assert.match(alone.wrong.join("\n"), /has it, and does not renew that; start that server/);
  }));

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
