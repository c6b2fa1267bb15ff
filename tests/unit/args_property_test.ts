import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Options, readArgs, wholeNumber } from "../../lib/cli/args.ts";
import { UsageError } from "../../lib/errors.ts";
import { checkedAddress, checkedRegistry } from "../../lib/text/addresses.ts";
import { safeLine } from "../../lib/text/filter.ts";
import { anyText, holds, unlessRefused } from "./properties.ts";

const OPTIONS: Options = {
  json: { type: "flag", help: "" },
  home: { type: "text", value: "DIR", help: "" },
  registry: { type: "list", value: "HOST:PORT", help: "" },
};
const words = fc.oneof(
  anyText,
  anyText.map((text) => `--${text}`),
  fc.constantFrom("--", "-", "--json", "--home", "--registry", "--no-json", "-h", "-abc", "--="),
  fc.tuple(fc.constantFrom("json", "home", "registry", "constructor"), anyText)
    .map(([name, value]) => `--${name}=${value}`),
);

test("args property: any command line is read, or refused with a sentence that shows safely", () => {
  holds(fc.array(words, { maxLength: 6 }), (argv) => {
    try {
      const { flags, texts, lists } = readArgs(argv, OPTIONS);
      const known = new Set([...Object.keys(OPTIONS), "help"]);
      assert.ok(known.isSupersetOf(new Set([...flags, ...texts.keys(), ...lists.keys()])));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      assert.equal(error.message, safeLine(error.message));
    }
  });
});

test("args property: what is given comes out, wherever it stands, and all of it behind --", () => {
  const given = fc.record({
    json: fc.boolean(),
    home: fc.option(anyText),
    registry: fc.array(anyText, { maxLength: 3 }),
    before: fc.array(anyText.filter((word) => !word.startsWith("-")), { maxLength: 3 }),
    behind: fc.array(words, { maxLength: 3 }),
    seed: fc.infiniteStream(fc.nat()),
  });
  holds(given, ({ json, home, registry, before, behind, seed }) => {
    const argv = [...before];
    const options = [
      ...json ? ["--json"] : [],
      ...home === null ? [] : [`--home=${home}`],
      ...registry.map((one) => `--registry=${one}`),
    ];
    let least = 0; // a list keeps its order
    for (const option of options) {
      least += seed.next().value % (argv.length - least + 1);
      argv.splice(least++, 0, option);
    }
    const read = readArgs([...argv, "--", ...behind], OPTIONS);
    assert.equal(read.flags.has("json"), json);
    assert.equal(read.texts.get("home") ?? null, home);
    assert.deepEqual(read.lists.get("registry") ?? [], registry);
    assert.deepEqual(read.positionals, [...before, ...behind]);
  });
});

test("args property: any text is a number in its bounds, or refused", () => {
  holds(fc.oneof(anyText, fc.nat().map(String)), (text) => {
    const number = unlessRefused(
      UsageError,
      () => wholeNumber({ texts: new Map([["limit", text]]) }, "limit", 1, 1_000),
    );
    if (number !== undefined) assert.ok(Number.isInteger(number) && number >= 1 && number <= 1_000);
  });
});

test("args property: any text is an address, as it was typed, or refused", () => {
  holds(anyText, (text) => {
    for (const check of [checkedAddress, checkedRegistry]) {
      const address = unlessRefused(UsageError, () => check("the address", text));
      if (address !== undefined) assert.equal(address, text);
    }
  });
});
