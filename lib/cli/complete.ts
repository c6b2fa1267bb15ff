/** Tab: commands, groups, members. Pure. */

/** What can be completed. */
export interface Completable {
  readonly commands: readonly string[];
  readonly groups: readonly string[];
  readonly members: readonly string[];
}

/**
 * The completions of a line and the part they replace, as `node:readline` wants them. The first
 * word is a command (or a member's name); what follows a command is a group.
 */
export function completions(
  line: string,
  { commands, groups, members }: Completable,
): [string[], string] {
  const first = /^(\/?)([\w-]*)$/.exec(line);
  if (first) {
    const [, slash, word] = first;
    const typed = word.replaceAll("-", "_").toLowerCase();
    const found = commands.filter((name) => name.startsWith(typed)).map((name) =>
      `${slash}${name} `
    );
    if (found.length > 0) return [found, line];
  }
  const afterCommand = /^\/?([\w-]+)\s+(.*)$/s.exec(line);
  if (afterCommand && commands.includes(afterCommand[1].replaceAll("-", "_"))) {
    const typed = afterCommand[2];
    const bare = typed.replace(/^["']/, "").toLowerCase();
    const found = groups.filter((name) => name.toLowerCase().startsWith(bare));
    if (found.length > 0) return [found.map(quoted), typed];
  }
  const [word] = /\S*$/.exec(line)!;
  const bare = word.replace(/^@/, "");
  if (bare === "") return [[], line];
  const at = word.slice(0, word.length - bare.length);
  const found = members.filter((name) => name.toLowerCase().startsWith(bare.toLowerCase()));
  return [found.map((name) => at + name + (line === word ? ": " : " ")), word];
}

function quoted(name: string): string {
  return /^[^\s"']+$/.test(name) ? name : `"${name}"`;
}
