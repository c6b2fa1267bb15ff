/**
 * Whether SQLite's write-ahead log is what was synced. SQLite reads it up to the first frame whose
 * checksum is wrong and takes that for its end: right after a loss of power, which can only tear
 * the one commit that was not synced yet, but silent about frames that were damaged later.
 */

const HEADER = 32;
const FRAME_HEADER = 24;
/** Checksums of big-endian words; without the lowest bit, of little-endian ones. */
const MAGIC = 0x377f0683;

/**
 * The first byte of a write-ahead log that is not what was synced; undefined if it can be trusted.
 *
 * One commit that does not verify at the end is no damage: nobody was told that it was kept. The log
 * must hold no frames of an earlier process, so it has to be checkpointed whenever it is opened.
 */
export function damagedAt(wal: Uint8Array): number | undefined {
  if (wal.length < HEADER) return undefined;
  const view = new DataView(wal.buffer, wal.byteOffset, wal.byteLength);
  const magic = view.getUint32(0);
  if ((magic & ~1) >>> 0 !== MAGIC - 1) return wal.some((byte) => byte !== 0) ? 0 : undefined;
  const little = magic !== MAGIC;
  const size = view.getUint32(8);
  const sum = checksum(view, 0, HEADER - 8, little, [0, 0]);
  // The header is one sector, synced before any frame: it is never torn.
  if (!isAt(view, HEADER - 8, sum) || !isPageSize(size)) return 0;

  const isOfThisLog = (at: number) =>
    view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20);
  let valid = true;
  let bad = 0;
  let commits = 0;
  for (let at = HEADER; at + FRAME_HEADER + size <= wal.length; at += FRAME_HEADER + size) {
    if (valid) {
      checksum(view, at, 8, little, sum);
      checksum(view, at + FRAME_HEADER, size, little, sum);
      valid = isOfThisLog(at) && isAt(view, at + 16, sum);
      if (valid) continue;
      bad = at;
    }
    if (isOfThisLog(at) && view.getUint32(at + 4) !== 0) commits++;
  }
  return commits > 1 ? bad : undefined;
}

type Sum = [number, number];

/** Goes on with SQLite's checksum, in place. */
function checksum(view: DataView, from: number, length: number, little: boolean, sum: Sum): Sum {
  let [a, b] = sum;
  for (let at = from; at < from + length; at += 8) {
    a = (a + view.getUint32(at, little) + b) | 0;
    b = (b + view.getUint32(at + 4, little) + a) | 0;
  }
  sum[0] = a;
  sum[1] = b;
  return sum;
}

function isAt(view: DataView, at: number, [a, b]: Sum): boolean {
  return view.getInt32(at) === a && view.getInt32(at + 4) === b;
}

function isPageSize(size: number): boolean {
  return size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
}
