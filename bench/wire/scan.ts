/** Reads a connection with as little work as can be: what is not looked at is skipped. */

/**
 * Looks at `buffer[start, end)` and answers where the next unread byte is. Beyond `end`: so many
 * bytes that have not come yet are skipped. Before `end`: the rest is shown again with more.
 */
type Scan = (buffer: Uint8Array, start: number, end: number) => number;

/** Bytes read at once. */
const CHUNK = 131_072;
/** A rest up to this size is moved to the front of the buffer, bytes. */
const SMALL_REST = 4_096;

/** Lets some time pass before each read, so that few reads bring much. */
export type Pace = () => Promise<void> | undefined;

/** Reads until the connection ends. */
export async function pump(
  connection: Deno.Conn,
  scan: Scan,
  pace: Pace = () => undefined,
): Promise<void> {
  let buffer = new Uint8Array(CHUNK);
  let start = 0;
  let end = 0;
  let skip = 0;
  try {
    while (true) {
      const wait = pace();
      if (wait) await wait;
      const read = await connection.read(buffer.subarray(end));
      if (read === null) return;
      end += read;
      const skipped = Math.min(skip, end - start);
      start += skipped;
      skip -= skipped;
      if (start < end) start = scan(buffer, start, end);
      if (start >= end) {
        skip += start - end;
        start = end = 0;
      } else if (end - start < SMALL_REST || (end === buffer.length && start > 0)) {
        buffer.copyWithin(0, start, end);
        end -= start;
        start = 0;
      } else if (end === buffer.length) {
        const larger = new Uint8Array(2 * buffer.length);
        larger.set(buffer);
        buffer = larger;
      }
    }
  } catch (error) {
    // Closed by us, or cut by a server that ends: whoever waits for messages notices.
    if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) {
      throw error;
    }
  }
}

/** Writes all of it. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await connection.write(bytes.subarray(done));
  }
}

/** A TCP connection to `HOST:PORT` without Nagle's delay. */
export async function dial(address: string): Promise<Deno.TcpConn> {
  const colon = address.lastIndexOf(":");
  const connection = await Deno.connect({
    hostname: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
  });
  connection.setNoDelay(true);
  return connection;
}

const LINE_FEED = 10;

/** Index after the next line feed; 0 when there is none before `end`. */
export function lineEnd(buffer: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) if (buffer[i] === LINE_FEED) return i + 1;
  return 0;
}

/** What one protocol says of the message at `start`: bytes of its header and of what follows. */
export interface Header {
  readonly head: number;
  readonly body: number;
  /** Bytes at the end of the header that say how long the body is. */
  readonly tail: number;
  /** Messages of the kind that is counted: 1, or 0 for anything else. */
  readonly counts: 0 | 1;
}

/**
 * Counts messages of a protocol that writes a header line (or several) before each body. A header
 * that begins and ends as the one before is not parsed again.
 *
 * @param parse undefined when the header is not complete
 */
export function counter(
  parse: (buffer: Uint8Array, start: number, end: number) => Header | undefined,
  counted: (messages: number) => void,
): Scan {
  let first = -1;
  let head = 0;
  let stride = 0;
  let tail = new Uint8Array();
  return (buffer, start, end) => {
    let n = 0;
    let at = start;
    while (at < end) {
      if (buffer[at] === first && at + head <= end && ends(buffer, at + head, tail)) {
        at += stride;
        n++;
        continue;
      }
      const header = parse(buffer, at, end);
      if (!header) break;
      if (header.counts) {
        first = buffer[at];
        head = header.head;
        stride = head + header.body;
        tail = buffer.slice(at + head - header.tail, at + head);
      }
      at += header.head + header.body;
      n += header.counts;
    }
    if (n > 0) counted(n);
    return at;
  };
}

function ends(buffer: Uint8Array, end: number, tail: Uint8Array): boolean {
  const from = end - tail.length;
  for (let i = 0; i < tail.length; i++) if (buffer[from + i] !== tail[i]) return false;
  return true;
}
