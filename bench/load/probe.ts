/**
 * How long the event loop of a program was held: runs before its main module, in its thread
 * (`deno run --preload`). A timer that is late shows it; what the thread waited for a core meanwhile
 * (Linux says it) is taken off, because others use the machine's cores, too.
 *
 * Listens on a free port, which it writes to `$BENCH_PROBE`; whoever connects gets
 * `{"held", "late"}`, ms, the most since the last one who asked: without that wait, and with it.
 */

const file = Deno.env.get("BENCH_PROBE");
if (file !== undefined) watch(file);

function watch(file: string): void {
  const waited = waitingTime();
  let [at, waiting, held, late] = [performance.now(), waited(), 0, 0];
  const timer = setInterval(() => {
    const [now, wait] = [performance.now(), waited()];
    late = Math.max(late, now - at);
    held = Math.max(held, now - at - (wait - waiting));
    [at, waiting] = [now, wait];
  }, 1);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  // The main module runs once nothing is waited for.
  Deno.unrefTimer(timer);
  listener.unref();
  Deno.writeTextFileSync(file, `${listener.addr.port}`);
  void (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode(JSON.stringify({ held, late })));
      connection.close();
      [held, late] = [0, 0];
    }
  })();
}

/** How long this thread has waited for a core so far, ms; always 0 where nobody says. */
function waitingTime(): () => number {
  try {
    const stat = Deno.openSync(`/proc/self/task/${Deno.pid}/schedstat`);
    const bytes = new Uint8Array(96);
    return () => {
      stat.seekSync(0, Deno.SeekMode.Start);
      const read = stat.readSync(bytes) ?? 0;
      return Number(new TextDecoder().decode(bytes.subarray(0, read)).split(" ")[1]) / 1e6;
    };
  } catch {
    return () => 0;
  }
}
