/** What a person is told to type is what was typed here. */

import assert from "node:assert/strict";
import test from "node:test";
import { typed, type Way } from "../../lib/run/this_program.ts";

const DENO = { deno: "2.9.6" };
const NODE = { node: "24.0.0" };
const NPX = { npm_lifecycle_event: "npx" };

const WAYS: readonly (readonly [what: string, way: Way, start: string, status: string])[] = [
  [
    "deno run",
    { versions: DENO, env: {}, argv: ["deno", "/x/user.ts"] },
    "deno run -A user.ts start --registry A:1#K",
    "deno run -A user.ts status",
  ],
  [
    "a task of Deno",
    { versions: DENO, env: { INIT_CWD: "/x" }, argv: ["deno", "/x/user.ts"] },
    "deno task start --registry A:1#K",
    "deno task user status",
  ],
  [
    "a task of Deno from npm",
    { versions: DENO, env: { ...NPX, INIT_CWD: "/x" }, argv: ["deno", "/x/user.ts"] },
    "npx -y deno@2.9.6 task start --registry A:1#K",
    "npx -y deno@2.9.6 task user status",
  ],
  [
    "an installed package",
    { versions: NODE, env: {}, argv: ["node", "/usr/bin/zgroup"] },
    "zgroup start --registry A:1#K",
    "zgroup status",
  ],
  [
    "npx with packages",
    {
      versions: NODE,
      env: { ...NPX, npm_config_package: "node@24\n\n./zgroup-0.1.0.tgz" },
      argv: ["node", "/npx/.bin/zgroup"],
    },
    "npx -y -p node@24 -p ./zgroup-0.1.0.tgz zgroup start --registry A:1#K",
    "npx -y -p node@24 -p ./zgroup-0.1.0.tgz zgroup status",
  ],
  [
    "the sources on Node",
    { versions: NODE, env: {}, argv: ["node", "/x/user.ts"] },
    "node --experimental-strip-types user.ts start --registry A:1#K",
    "node --experimental-strip-types user.ts status",
  ],
];

for (const [what, way, start, status] of WAYS) {
  test(`what is to be typed has the form of ${what}`, () => {
    assert.equal(typed("start --registry A:1#K", way), start);
    assert.equal(typed("status", way), status);
  });
}
