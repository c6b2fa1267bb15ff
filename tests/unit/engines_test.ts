import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../lib/errors.ts";
import { engineName } from "../../lib/run/engines.ts";

test("the engine is the one asked for, else that of the environment, else ours", () => {
  assert.equal(engineName(undefined, {}), "zmtp");
  assert.equal(engineName(undefined, { ZGROUP_TRANSPORT: "" }), "zmtp");
  assert.equal(engineName(undefined, { ZGROUP_TRANSPORT: "libzmq" }), "libzmq");
  assert.equal(engineName("zmtp", { ZGROUP_TRANSPORT: "libzmq" }), "zmtp");
  assert.equal(engineName("libzmq", {}), "libzmq");
});

test("an engine that there is not is refused, with where it was asked for", () => {
  for (const name of ["", "ZMTP", "tcp", "__proto__"]) {
    assert.throws(() => engineName(name, {}), UsageError);
  }
  assert.throws(() => engineName("tcp", {}), /the transport "tcp": expected zmtp or libzmq/);
  assert.throws(
    () => engineName(undefined, { ZGROUP_TRANSPORT: "tcp" }),
    /\$ZGROUP_TRANSPORT "tcp": expected zmtp or libzmq/,
  );
});
