/** Tar archives of small files, the same bytes for the same files: no owner, no time. */

import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync } from "node:zlib";

const BLOCK = 512;
/** 1985-10-26, as the npm client writes it; some tools refuse 1970. */
const TIME = 499_162_500;

/** One file of an archive. */
export interface TarFile {
  readonly path: string;
  readonly data: Uint8Array;
  readonly executable?: boolean;
}

/** A .tgz of these files, sorted by path. @throws {Error} a path is longer than 100 bytes */
export function writeTgz(files: readonly TarFile[]): Uint8Array {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const blocks = sorted.flatMap((file) => [header(file), file.data, padding(file.data.length)]);
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 9 });
}

function header({ path, data, executable = false }: TarFile): Buffer {
  if (Buffer.byteLength(path) > 100) throw new Error(`Cannot archive ${path}: above 100 bytes`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, "0") + "\0", at, "latin1");
  block.write(path, 0);
  octal(executable ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(data.length, 124, 12);
  octal(TIME, 136, 12);
  block.write("        0", 148, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(sum.toString(8).padStart(6, "0") + "\0 ", 148, "latin1");
  return block;
}

function padding(length: number): Buffer {
  return Buffer.alloc((BLOCK - length % BLOCK) % BLOCK);
}

/** The regular files of a .tgz. */
export function readTgz(tgz: Uint8Array): TarFile[] {
  const bytes = gunzipSync(tgz);
  const files: TarFile[] = [];
  for (let at = 0; at + BLOCK <= bytes.length && bytes[at] !== 0;) {
    const field = (from: number, width: number) =>
      bytes.toString("utf8", at + from, at + from + width).replace(/\0.*$/s, "");
    const size = parseInt(field(124, 12), 8);
    const prefix = field(345, 155);
    const path = prefix ? `${prefix}/${field(0, 100)}` : field(0, 100);
    const start = at + BLOCK;
    if (/^0?$/.test(field(156, 1))) {
      const executable = (parseInt(field(100, 8), 8) & 0o100) !== 0;
      files.push({ path, data: bytes.subarray(start, start + size), executable });
    }
    at = start + size + padding(size).length;
  }
  return files;
}
