/** Who is typing where. */

/** How long a hint that somebody is typing stays, ms. */
const TYPING_FOR = 6_000;
/** Most names that are said. */
const NAMED = 3;

export class Typing {
  /** By group and name: until when. */
  readonly #hints = new Map<string, { group: string; name: string; timer: Timer }>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  hint(group: string, name: string): void {
    const key = JSON.stringify([group, name]);
    clearTimeout(this.#hints.get(key)?.timer);
    const timer = setTimeout(() => this.over(group, name), TYPING_FOR);
    this.#hints.set(key, { group, name, timer });
    this.#changed();
  }

  /** What they typed has come, or nothing did. */
  over(group: string, name: string): void {
    const key = JSON.stringify([group, name]);
    clearTimeout(this.#hints.get(key)?.timer);
    if (this.#hints.delete(key)) this.#changed();
  }

  /** `bob is typing …` of one group; undefined when nobody is. */
  line(group: string | undefined): string | undefined {
    const names = [...this.#hints.values()].filter((hint) => hint.group === group)
      .map(({ name }) => name);
    if (names.length === 0) return undefined;
    return `${names.slice(0, NAMED).join(", ")} ${names.length === 1 ? "is" : "are"} typing …`;
  }

  close(): void {
    for (const { timer } of this.#hints.values()) clearTimeout(timer);
    this.#hints.clear();
  }
}

type Timer = ReturnType<typeof setTimeout>;
