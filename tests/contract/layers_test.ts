import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { forbidden } from "../../scripts/check_layers.ts";
import { SOURCES } from "../runtimes.ts";

/** The problems of a tree with these files. */
function problemsOf(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), "zgroup-layers-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return forbidden(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("layers: this repository has no forbidden import", () => {
  assert.deepEqual(forbidden(SOURCES), []);
});

test("layers: an import downward is fine", () => {
  assert.deepEqual(
    problemsOf({
      "lib/protocol/a.ts": 'import { x } from "../errors.ts";\nimport * as v from "valibot";\n',
      "lib/group/a.ts": 'import type { y } from "../log/log.ts";\nexport * from "./b.ts";\n',
      "lib/group/b.ts": "",
      "lib/run/engines.ts":
        'import { z } from "../transport/zmtp/engine.ts";\nawait import("../transport/libzmq/zmq.ts");\n',
      "lib/transport/zmtp/engine.ts": 'import { x } from "./peer.ts";\nimport "../transport.ts";\n',
      "lib/transport/zmtp/peer.ts": 'import type { x } from "./engine.ts";\n',
    }),
    [],
  );
});

const PLANTED: [what: string, path: string, text: string][] = [
  ["upward", "lib/protocol/a.ts", 'import { x } from "../group/state.ts";'],
  ["sideways", "lib/user/a.ts", 'export { x } from "../group/state.ts";'],
  ["above lib", "lib/user/a.ts", 'import { x } from "../../mod.ts";'],
  ["only for its types", "lib/registry/a.ts", 'import type { X } from "../user/user.ts";'],
  ["over several lines", "lib/cli/a.ts", 'import {\n  x,\n  y,\n} from "../run/open_user.ts";'],
  ["dynamic", "lib/group/a.ts", 'const x = await import("../user/user.ts");'],
  ["for its effect", "lib/protocol/a.ts", 'import "../session/client.ts";'],
  ["of an adapter", "lib/group/a.ts", 'import { x } from "../transport/zmtp/engine.ts";'],
  ["of an adapter beside it", "lib/transport/a.ts", 'import { x } from "./zmtp/engine.ts";'],
  ["of an engine by the other", "lib/transport/libzmq/a.ts", 'import { x } from "../zmtp/b.ts";'],
  ["upward of a session", "lib/session/a.ts", 'import { x } from "../group/server.ts";'],
  ["in a circle", "lib/cli/a.ts", 'import { x } from "./a.ts";'],
  ["of zeromq", "lib/transport/libzmq/other.ts", 'import * as zmq from "zeromq";'],
  ["of zeromq with its version", "lib/group/a.ts", 'import * as zmq from "npm:zeromq@6";'],
  ["of node:sqlite", "lib/user/a.ts", 'import { DatabaseSync } from "node:sqlite";'],
  ["of node:sqlite by an engine", "lib/log/sqlite.ts", 'import * as s from "node:sqlite";'],
  ["of the log by a store", "lib/store/a.ts", 'import { x } from "../log/log.ts";'],
  ["of a store by the log", "lib/log/a.ts", 'import type { x } from "../store/a.ts";'],
  ["of an engine of the log", "lib/group/b.ts", 'import { x } from "../log/sqlite_rows.ts";'],
  ["of valibot", "lib/group/a.ts", 'import * as v from "valibot";'],
  ["Deno.*", "lib/run/a.ts", "export const pid = Deno.pid;"],
];

for (const [what, path, text] of PLANTED) {
  test(`layers: a forbidden import is named: ${what}`, () => {
    const problems = problemsOf({ [path]: `${text}\n` });
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.ok(problems[0].startsWith(path), problems[0]);
  });
}

test("layers: files that import each other in a circle are named once, types do not count", () => {
  const files = {
    "lib/cli/a.ts": 'import { b } from "./b.ts";\n',
    "lib/cli/b.ts": 'import { c } from "./c.ts";\n',
    "lib/cli/c.ts": 'export { a } from "./a.ts";\n',
    "lib/cli/d.ts": 'import { a } from "./a.ts";\n',
    "lib/cli/e.ts": 'import type { f } from "./f.ts";\n',
    "lib/cli/f.ts": 'import { e } from "./e.ts";\n',
  };
  const problems = problemsOf(files);
  assert.equal(problems.length, 1, problems.join("\n"));
  assert.match(
    problems[0],
    /^lib\/cli\/a.ts imports lib\/cli\/b.ts imports .*c.ts imports .*a.ts:/,
  );
});
