/**
 * THE output filter: every string from the network passes it before a terminal sees it.
 *
 * What a terminal would obey, or a reader would not see, becomes visible: ESC is written `\x1b`,
 * a right-to-left override `\u{202e}`.
 */

/** Controls, lone surrogates, format and other invisible characters. */
const HIDDEN = /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{NChar}]/gu;

/** As {@linkcode HIDDEN}, beginning with what may stay where it does its work in a text. */
const HIDDEN_IN_TEXT = new RegExp(
  [
    // England, Scotland, Wales: a black flag and its tags.
    "(\\u{1F3F4}[\\u{E0061}-\\u{E007A}]{4,6}\\u{E007F})",
    // A joiner between two pictures (family emoji), after an optional skin tone or selector.
    "((?<=\\p{ExtPict}[\\p{EMod}\\u{FE0F}]?)\\u{200D}(?=\\p{ExtPict}))",
    // One emoji or text selector after a visible character.
    "((?<=[\\p{L}\\p{N}\\p{P}\\p{S}])[\\u{FE0E}\\u{FE0F}])",
    // Joiner and non-joiner inside words of the scripts that are spelled with them.
    "((?<=(?!\\p{Cf})[\\p{scx=Arab}\\p{scx=Deva}\\p{scx=Beng}\\p{scx=Sinh}\\p{scx=Mlym}\\p{scx=Knda}" +
    "\\p{scx=Telu}\\p{scx=Taml}\\p{scx=Gujr}\\p{scx=Khmr}])[\\u{200C}\\u{200D}](?=\\p{L}))",
    // The ninth and later marks on one letter: enough of them reach into other lines.
    "((?<=\\p{M}{8})\\p{M}+)",
    `(${HIDDEN.source})`,
  ].join("|"),
  "gu",
);

/** A single line: a name, an address, a sentence of a peer. Line breaks are made visible too. */
export function safeLine(text: string): string {
  return text.replace(HIDDEN, visible);
}

/** A text of several lines: line feeds and tabs stay, CR LF becomes LF. */
export function safeText(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(
    HIDDEN_IN_TEXT,
    (found, flag, joiner, selector, joined, marks) => {
      if (flag || joiner || selector || joined || found === "\n" || found === "\t") return found;
      return marks ? "\\u{...}" : visible(found);
    },
  );
}

/** One line of JSON that holds the same data, with every hidden character as an escape. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(HIDDEN, (found) => {
    let escaped = "";
    for (let i = 0; i < found.length; i++) {
      escaped += `\\u${found.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}

function visible(character: string): string {
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
}
