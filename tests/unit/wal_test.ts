import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { damagedAt } from "../../lib/disk/wal.ts";

const PAGE = 512;
const FRAME = 24 + PAGE;

/** A write-ahead log of frames that each commit, made as SQLite documents it. */
function wal(frames: number, { salt = 7, commits = (_: number): boolean => true } = {}): Buffer {
  const bytes = Buffer.alloc(32 + frames * FRAME);
  const sum = [0, 0];
  const add = (from: number, length: number) => {
    for (let at = from; at < from + length; at += 8) {
      sum[0] = (sum[0] + bytes.readUInt32LE(at) + sum[1]) >>> 0;
      sum[1] = (sum[1] + bytes.readUInt32LE(at + 4) + sum[0]) >>> 0;
    }
  };
  const put = (at: number) => {
    bytes.writeUInt32BE(sum[0], at);
    bytes.writeUInt32BE(sum[1], at + 4);
  };
  for (const [i, value] of [0x377f0682, 3_007_000, PAGE, 0, salt, salt + 1].entries()) {
    bytes.writeUInt32BE(value, i * 4);
  }
  add(0, 24);
  put(24);
  for (let i = 0; i < frames; i++) {
    const at = 32 + i * FRAME;
    for (const [j, value] of [i + 1, commits(i) ? i + 1 : 0, salt, salt + 1].entries()) {
      bytes.writeUInt32BE(value, at + j * 4);
    }
    bytes.fill(i + 1, at + 24, at + FRAME);
    add(at, 8);
    add(at + 24, PAGE);
    put(at + 16);
  }
  return bytes;
}

/** The same with one bit of a byte flipped. */
function flipped(bytes: Buffer, at: number): Buffer {
  const other = Buffer.from(bytes);
  other[at] ^= 1;
  return other;
}

test("a write-ahead log is trusted whole, empty, and cut anywhere", () => {
  const whole = wal(4);
  for (let length = 0; length <= whole.length; length++) {
    assert.equal(damagedAt(whole.subarray(0, length)), undefined, String(length));
  }
  assert.equal(damagedAt(Buffer.alloc(4_096)), undefined);
});

test("a write-ahead log with a damaged header or damage before two commits is not trusted", () => {
  const whole = wal(4);
  for (let at = 0; at < 32; at++) assert.equal(damagedAt(flipped(whole, at)), 0, String(at));
  for (let frame = 0; frame < 3; frame++) {
    const start = 32 + frame * FRAME;
    for (const at of [0, 5, 16, 23, 24, 300, FRAME - 1]) {
      assert.equal(damagedAt(flipped(whole, start + at)), start, `${frame} ${at}`);
    }
  }
});

test("a write-ahead log whose last commit alone does not verify was torn and is trusted", () => {
  const start = 32 + 3 * FRAME;
  for (const at of [0, 9, 20, 30]) {
    assert.equal(damagedAt(flipped(wal(4), start + at)), undefined, String(at));
  }
  const large = wal(6, { commits: (i) => i === 1 || i === 5 });
  for (let frame = 2; frame < 6; frame++) {
    assert.equal(damagedAt(flipped(large, 32 + frame * FRAME + 100)), undefined, String(frame));
  }
});

test("frames of an earlier round are no part of a write-ahead log", () => {
  const old = wal(5, { salt: 7 });
  wal(2, { salt: 9 }).copy(old);
  assert.equal(damagedAt(old), undefined);
  assert.equal(damagedAt(flipped(old, 32 + 4 * FRAME + 50)), undefined);
});
