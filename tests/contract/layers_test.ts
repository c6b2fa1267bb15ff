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
      "lib/transport/zmtp/peer.ts": 'import type { x } from "./account.ts";\n',
      "lib/transport/zmtp/account.ts": "",
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
    assert.match(problems[0], /: .*(move|use|may|close|nothing)/, "it says how to mend it");
  });
}

const CIRCLES: [of: string, a: string, b: string, c: string][] = [
  [
    "values",
    'import { b } from "./b.ts";',
    'import { c } from "./c.ts";',
    'export { a } from "./a.ts";',
  ],
  [
    "types",
    'import type { B } from "./b.ts";',
    'export type { C } from "./c.ts";',
    'import { type A } from "./a.ts";',
  ],
  [
    "a value and types",
    'import { b } from "./b.ts";',
    'import type {\n  C,\n} from "./c.ts";',
    'type A = import("./a.ts").A;',
  ],
];

for (const [of, a, b, c] of CIRCLES) {
  test(`layers: a circle of ${of} over three files is named once, and how to mend it`, () => {
    const problems = problemsOf({
      "lib/cli/a.ts": `${a}\n`,
      "lib/cli/b.ts": `${b}\n`,
      "lib/cli/c.ts": `${c}\n`,
      "lib/cli/d.ts": 'import { a } from "./a.ts";\n',
    });
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(
      problems[0],
      /^lib\/cli\/a.ts imports lib\/cli\/b.ts imports .*c.ts imports .*a.ts: move what they share/,
    );
  });
}

test("layers: two circles through one file are two problems", () => {
  const problems = problemsOf({
    "lib/cli/a.ts": 'import { b } from "./b.ts";\nimport { c } from "./c.ts";\n',
    "lib/cli/b.ts": 'import type { A } from "./a.ts";\n',
    "lib/cli/c.ts": 'import type { A } from "./a.ts";\n',
  });
  assert.equal(problems.length, 2, problems.join("\n"));
});

test("layers: an import upward is named alone, whatever circles it makes", () => {
  const problems = problemsOf({
    "lib/text/a.ts": 'import type { b } from "../user/b.ts";\n',
    "lib/user/b.ts": 'import { a } from "../text/a.ts";\n',
    "lib/user/c.ts": 'import { b } from "./b.ts";\nimport { a } from "../text/a.ts";\n',
  });
  assert.equal(problems.length, 1, problems.join("\n"));
  assert.ok(problems[0].startsWith("lib/text/a.ts imports lib/user/b.ts"), problems[0]);
});
