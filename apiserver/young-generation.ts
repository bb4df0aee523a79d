import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Both halves of V8's young generation together: enough that requests under way seldom survive a collection. */
const maxBytes = 16 << 20

/**
 * Keeps V8's young generation from growing beyond half of what it may have: while a server reads its objects at the start it grows to
 * 32 MB, and V8 gives those back only when it collects in an idle moment. `--max-semi-space-size` would do the same, but only on Node's
 * command line; V8 looks at the factor of growth whenever it would grow. Watches the first collections, not the later ones.
 */
export function boundYoungGeneration (): void {
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    if (young !== undefined && young.space_size < maxBytes) return
    setFlagsFromString('--semi-space-growth-factor=1')
    observer.disconnect()
  })
  observer.observe({ entryTypes: ['gc'] })
}
