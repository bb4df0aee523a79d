/** `GET /version`, in the order in which Go writes its members. */
export interface ServerVersion {
  readonly major: string
  readonly minor: string
  readonly emulationMajor: string
  readonly emulationMinor: string
  readonly minCompatibilityMajor: string
  readonly minCompatibilityMinor: string
  readonly gitVersion: string
  readonly gitCommit: string
  readonly gitTreeState: string
  readonly buildDate: string
  readonly goVersion: string
  readonly compiler: string
  readonly platform: string
}

const major = '1'
const minor = '36'
const platforms: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }

/**
 * The version document. Major and minor are those of the Kubernetes API machinery whose behaviour this server has, so that kubectl
 * judges its skew rightly; gitVersion carries the package's own version.
 * @param packageVersion e.g. `0.1.0`
 * @param commit the commit it was built from, where known
 */
export function serverVersion (packageVersion: string, commit = ''): ServerVersion {
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: '35',
    gitVersion: `v${major}.${minor}.0-annex.${packageVersion}`,
    gitCommit: commit,
    gitTreeState: commit === '' ? '' : 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    // No Go here: the members are mandatory, and say what does run.
    goVersion: `node${process.version.slice(1)}`,
    compiler: 'v8',
    platform: `${process.platform}/${platforms[process.arch] ?? process.arch}`
  }
}
