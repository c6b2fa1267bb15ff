import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { userId } from "../../lib/identity/keys.ts";
import {
  type Batch,
  checkSignature,
  cutBatch,
  encodeBatch,
  entriesOf,
  messageHash,
  signedText,
} from "../../lib/protocol/batch.ts";
import { batchProblem } from "../../lib/protocol/batch_schema.ts";
import { isPlainName } from "../../lib/text/names.ts";
import { fixedKey, midAt, NOW } from "./fixtures.ts";
import { holds, wellFormed } from "./properties.ts";

const GROUP = "00000000-0000-8000-8000-000000000001";
const key = fixedKey(0);
const author = userId(key.publicKey);

/** Batches of messages: signed, claimed by nobody's key, and with a text that was not signed. */
const batches = fc.record({
  first: fc.integer({ min: 1, max: 1_000_000 }),
  texts: fc.array(wellFormed, { minLength: 1, maxLength: 12 }),
  name: wellFormed.map((text) => [...text].slice(0, 64).filter(isPlainName).join("")),
  as: fc.constantFrom("valid", "unsigned", "invalid"),
}).map(({ first, texts, name, as }): Batch => {
  const messages = texts.map((text, i): [string, string] => [midAt(NOW, i), text]);
  const plain = { first, count: texts.length, at: NOW, kind: "message" as const, name };
  if (as === "unsigned") return { ...plain, author: "~claimed", messages };
  const sig = key.sign(signedText(GROUP, author, messages.map(messageHash)));
  const at = first % texts.length;
  const forged = messages.with(at, [messages[at][0], `${messages[at][1]}!`]);
  const signed = { ...plain, author, key: key.publicKey, sig };
  return { ...signed, messages: as === "valid" ? messages : forged };
});

/** A batch, and two ranges of its seqs of which the second lies in the first, as `[after, before]`. */
const cuts = fc.tuple(batches, fc.nat(), fc.nat(), fc.nat(), fc.nat()).map(([batch, ...at]) => {
  const within = (low: number, high: number, a: number, b: number): [number, number] => {
    const after = low + a % (high - low - 1);
    return [after, after + 2 + b % (high - after - 1)];
  };
  const outer = within(batch.first - 1, batch.first + batch.count, at[0], at[1]);
  return { batch, outer, inner: within(outer[0], outer[1], at[2], at[3]) };
});

test("batch property: any batch comes back from its JSON, which the schema takes", () => {
  holds(batches, (batch) => {
    const read = JSON.parse(encodeBatch(batch));
    assert.deepEqual(read, batch);
    assert.equal(batchProblem(read), undefined);
  });
});

test("batch property: cut anywhere, and cut again, it keeps seqs, texts and its verdict", () => {
  holds(cuts, ({ batch, outer, inner }) => {
    const verdict = checkSignature(GROUP, batch);
    const whole = entriesOf(batch, verdict, "Lab", "e");
    const once = cutBatch(batch, ...outer);
    const twice = cutBatch(JSON.parse(encodeBatch(once)), ...inner);
    for (const [cut, [after, before]] of [[once, outer], [twice, inner]] as const) {
      assert.equal(batchProblem(cut), undefined);
      assert.equal(cut.count, before - after - 1);
      assert.deepEqual(
        entriesOf(cut, checkSignature(GROUP, cut), "Lab", "e"),
        whole.filter(({ seq }) => seq > after && seq < before),
      );
    }
    assert.deepEqual(twice, cutBatch(batch, ...inner));
  });
});

test("batch property: a part with any text altered verifies no more", () => {
  holds(cuts, ({ batch, outer }) => {
    const part = cutBatch(batch, ...outer);
    const [[mid, text], ...others] = part.messages!;
    const forged = { ...part, messages: [[mid, `${text}.`] as [string, string], ...others] };
    assert.notEqual(checkSignature(GROUP, forged), "valid");
  });
});
