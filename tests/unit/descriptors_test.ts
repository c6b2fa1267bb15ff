import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionLimit, descriptorWarning } from "../../lib/run/descriptors.ts";

const limits = (soft: string, hard: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\n` +
  `Max open files            ${soft}                 ${hard}                files\n`;

test("descriptors: below 4,096 a server warns, with the command that raises the limit", () => {
  assert.match(descriptorWarning(limits("1024", "1048576"))!, /Only 1024 .*: ulimit -n 65536$/);
  assert.match(descriptorWarning(limits("4095", "4095"))!, /LimitNOFILE=65536/);
  assert.match(descriptorWarning(limits("256", "unlimited"))!, /: ulimit -n 65536$/);
});

test("descriptors: from 4,096 on, or where the system does not tell, nothing is said", () => {
  for (const text of [limits("4096", "4096"), limits("unlimited", "unlimited"), "", "nonsense"]) {
    assert.equal(descriptorWarning(text), undefined, text);
  }
});

test("descriptors: a server holds as many connections as it may open, less its own", () => {
  assert.equal(connectionLimit(limits("4096", "4096")), 4_096 - 128);
  assert.equal(connectionLimit(limits("64", "64")), 16);
  for (const text of [limits("unlimited", "unlimited"), "", "nonsense"]) {
    assert.equal(connectionLimit(text), undefined, text);
  }
});
