/** Sides measured in turn, A B A B …, so that both see the same weather. */

/** One side: a name, and a way to get one figure. */
export interface Side<Name extends string = string> {
  readonly name: Name;
  measure(): Promise<number>;
}

/** Figures of each side, round by round. */
export type Figures = ReadonlyMap<string, readonly number[]>;

/**
 * Measures every side once a round, in the same order. A side of the version before that breaks is
 * left out, and said; any other one ends the row.
 */
export async function rounds(sides: readonly Side[], count: number): Promise<Figures> {
  const figures = new Map(sides.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < count; round++) {
    for (const { name, measure } of sides) {
      try {
        figures.get(name)?.push(await measure());
      } catch (error) {
        if (!name.startsWith("before")) throw error;
        figures.delete(name);
        console.error(`"${name}" is left out: ${`${error}`.split("\n")[0]}`);
      }
    }
  }
  return figures;
}

/** The middle figure; the mean of the two middle ones of an even number. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median of the ratios pair by pair, `a` over `b`. */
export function ratioOf(a: readonly number[], b: readonly number[]): number {
  return median(a.map((figure, i) => figure / b[i]));
}
