/** What a terminal sends, as keys. Pure. */

/** Characters that came together, or a key by its name: `enter`, `ctrl-c`, `alt-1`, `page-up`. */
export type Key = { readonly text: string } | { readonly name: string };

/** How long what follows an Escape may be on its way, ms; then it was the key. */
export const ESCAPE_WITHIN = 50;

/** Final characters of `ESC [ …` and `ESC O …`. */
const FINALS: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  Z: "shift-tab",
};

/** Numbers of `ESC [ … ~`. */
const NUMBERS: Readonly<Record<string, string>> = {
  1: "home",
  2: "insert",
  3: "delete",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
};

/** Control characters that are not `ctrl-` and a letter. */
const CONTROLS: Readonly<Record<string, string>> = {
  "\0": "ctrl-space",
  "\b": "backspace",
  "\t": "tab",
  "\n": "enter",
  "\r": "enter",
  "\x1c": "ctrl-\\",
  "\x1d": "ctrl-]",
  "\x1e": "ctrl-^",
  "\x1f": "ctrl-_",
  "\x7f": "backspace",
};

// deno-lint-ignore no-control-regex -- this is what a terminal sends
const TEXT = /[^\x00-\x1f\x7f]+/y;
// deno-lint-ignore no-control-regex -- as above
const SEQUENCE = /\x1b(?:\[([0-9;<=>?]*)([@-~])|O([@-~])|([^\x1b[O]))/y;
// deno-lint-ignore no-control-regex -- as above
const BEGUN = /\x1b(?:\[[0-9;<=>?]*|O)?$/y;

/** Makes keys of what comes, in whatever pieces it comes. */
export class KeyDecoder {
  /** The beginning of a sequence. */
  #rest = "";
  /** The last character was CR: an LF behind it is part of the same Enter. */
  #return = false;

  /** True while it is open whether an Escape was pressed or a sequence begins: see `flush`. */
  get open(): boolean {
    return this.#rest !== "";
  }

  read(said: string): Key[] {
    const all = this.#rest + said;
    this.#rest = "";
    const keys: Key[] = [];
    for (let at = 0; at < all.length;) {
      const take = (pattern: RegExp) => {
        pattern.lastIndex = at;
        return pattern.exec(all);
      };
      const text = take(TEXT);
      if (text) keys.push({ text: text[0] });
      const sequence = text ? null : take(SEQUENCE);
      if (sequence) keys.push(...namedSequence(sequence));
      if (text || sequence) {
        this.#return = false;
        at += (text ?? sequence)![0].length;
        continue;
      }
      if (take(BEGUN)) {
        this.#rest = all.slice(at);
        break;
      }
      const control = all[at++];
      if (control !== "\n" || !this.#return) keys.push({ name: controlName(control) });
      this.#return = control === "\r";
    }
    return keys;
  }

  /** Nothing came behind what is open: an Escape, and what stands behind it as Alt and a key. */
  flush(): Key[] {
    const rest = this.#rest;
    this.#rest = "";
    if (rest === "") return [];
    return [{ name: rest.length === 1 ? "escape" : `alt-${rest.slice(1)}` }];
  }
}

function controlName(control: string): string {
  if (control === "\x1b") return "escape"; // Another one stands behind it.
  return CONTROLS[control] ?? `ctrl-${String.fromCharCode(control.charCodeAt(0) + 96)}`;
}

/** No key for a sequence that no key of ours sends. */
function namedSequence([, given = "", final, single, alt]: RegExpExecArray): Key[] {
  if (alt !== undefined) {
    const name = alt < " " || alt === "\x7f" ? controlName(alt) : alt;
    return [{ name: `alt-${name}` }];
  }
  const [first, modifiers = first] = given.split(";");
  if (single === "M") return [{ name: "enter" }]; // Of the digits.
  const name = final === "~" ? NUMBERS[first] : FINALS[final ?? single];
  if (name === undefined || /[^\d;]/.test(given)) return [];
  const held = given.includes(";") ? Number(modifiers) - 1 : 0;
  const [alts, ctrl] = [held & 2 ? "alt-" : "", held & 4 ? "ctrl-" : ""];
  return [{ name: ctrl + alts + name }];
}
