const pattern = /^v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?$/

/**
 * Kubernetes' order of versions: GA before beta before alpha, then the higher major, then the higher minor; other names last,
 * alphabetically. Positive when `a` is preferred. Source: `k8s.io/apimachinery/pkg/version` CompareKubeAwareVersionStrings.
 */
export function compareVersions (a: string, b: string): number {
  if (a === b) return 0
  const [x, y] = [pattern.exec(a), pattern.exec(b)]
  if (x === null && y === null) return a < b ? 1 : -1
  if (x === null) return -1
  if (y === null) return 1
  const rank = (m: RegExpExecArray): number => m[2] === undefined ? 2 : m[2] === 'beta' ? 1 : 0
  return rank(x) - rank(y) || Number(x[1]) - Number(y[1]) || Number(x[3] ?? 0) - Number(y[3] ?? 0)
}
