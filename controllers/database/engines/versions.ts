/** The numbers at the beginning of a version: `8.0.36-debian` is [8, 0, 36]. */
export const numbersOf = (version: string): number[] => /^\d+(\.\d+)*/.exec(version)?.[0].split('.').map(Number) ?? []

/** Negative if `a` is older. What only one of them says does not count: 8.0 and 8.0.36 are equal. */
export function compareVersions (a: string, b: string): number {
  const [x, y] = [numbersOf(a), numbersOf(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return 0
}
