/** `user.ts doctor --log`: what it says of real databases. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { closing } from "../support.ts";
import { Group } from "../support/inside.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { says } from "./doctor_says.ts";
import { Folder } from "./world.ts";

const skip = availablePostgres() ?? false;

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
