import { compareQuantities, parseQuantity } from '../../registry/meta/quantity.js'
import type { Problem } from '../children/problem.js'
import type { PersistentVolumeClaim } from '../children/types.js'
import type { StorageWish } from './model.js'

/** What is known of a StorageClass. */
export interface StorageClassFacts { readonly allowVolumeExpansion: boolean }

export interface StorageInputs {
  readonly wish: StorageWish
  /** What the StatefulSet's claim template says, if there is one. */
  readonly template: StorageWish | undefined
  /** The Database's own claims. */
  readonly claims: readonly PersistentVolumeClaim[]
  readonly classes: ReadonlyMap<string, StorageClassFacts>
}

export interface StoragePlan {
  /** What the claim template is to say. */
  readonly template: StorageWish
  /** A StatefulSet's claim template cannot be changed: it is made anew, and its pods and claims stay. */
  readonly recreate: boolean
  /** Claims to ask more for. */
  readonly expand: readonly PersistentVolumeClaim[]
  /** Claims whose volumes are not yet as large as asked for. */
  readonly expanding: readonly PersistentVolumeClaim[]
  /** What cannot be done. The rest is. */
  readonly problem?: Problem | undefined
}

/** How volumes become what a Database asks for: they grow, if their class lets them, and never shrink or move. */
export function planStorage ({ wish, template, claims, classes }: StorageInputs): StoragePlan {
  const small = claims.filter(c => c.metadata.deletionTimestamp === undefined && less(requestOf(c), wish.size))
  const fixed = small.map(c => inexpandable(c, classes)).find(p => p !== undefined)
  // All or none: instances of different sizes help nobody.
  const grows = fixed === undefined
  // What is not bound yet cannot grow; it is asked for more as soon as it is.
  const expand = grows ? small.filter(c => c.status?.phase === 'Bound') : []
  const size = template === undefined ? wish.size : grows && less(template.size, wish.size) ? wish.size : template.size
  return {
    // Without a wish the template names none, as at first: one taken from the claims would differ from the wish ever after.
    template: { size, storageClass: template !== undefined ? template.storageClass : wish.storageClass === undefined ? undefined : classOf(claims) ?? wish.storageClass },
    recreate: template !== undefined && size !== template.size,
    expand,
    expanding: claims.filter(c => c.status?.phase === 'Bound' && less(c.status.capacity?.['storage'], requestOf(c) ?? '0')),
    // While the StatefulSet is made anew, and when data are adopted, claims say what a template would.
    problem: unlike(wish, template ?? (wish.storageClass === undefined || claims.length === 0 ? undefined : { size: '0', storageClass: classOf(claims) ?? wish.storageClass })) ?? fixed
  }
}

/** The StorageClass that volumes have, if they agree and it was asked for. */
function classOf (claims: readonly PersistentVolumeClaim[]): string | undefined {
  const names = new Set(claims.map(c => c.spec?.storageClassName))
  return names.size === 1 ? [...names][0] : undefined
}

function unlike (wish: StorageWish, template: StorageWish | undefined): Problem | undefined {
  if (template === undefined) return undefined
  if (wish.storageClass !== template.storageClass) {
    const name = (c: string | undefined): string => c === undefined ? 'the default' : JSON.stringify(c)
    return { reason: 'StorageClassImmutable', message: `the volumes are of StorageClass ${name(template.storageClass)} and cannot become ${name(wish.storageClass)}: set spec.storage.storageClass back, or restore a dump into a new Database` }
  }
  if (less(wish.size, template.size)) return { reason: 'ShrinkNotSupported', message: `the volumes have ${template.size} and cannot shrink to ${wish.size}: set spec.storage.size back to ${template.size}` }
  return undefined
}

function inexpandable (claim: PersistentVolumeClaim, classes: ReadonlyMap<string, StorageClassFacts>): Problem | undefined {
  const [name, className] = [claim.metadata.name, claim.spec?.storageClassName ?? '']
  if (className === '') return { reason: 'ExpansionNotSupported', message: `claim ${JSON.stringify(name)} has no StorageClass, so its volume cannot grow; set spec.storage.size back, or restore a dump into a new Database` }
  const facts = classes.get(className)
  if (facts?.allowVolumeExpansion === true) return undefined
  return facts === undefined
    ? { reason: 'StorageClassNotFound', message: `claim ${JSON.stringify(name)} is to grow, but its StorageClass ${JSON.stringify(className)} does not exist any more; create it with allowVolumeExpansion: true` }
    : { reason: 'ExpansionNotSupported', message: `claim ${JSON.stringify(name)} cannot grow: StorageClass ${JSON.stringify(className)} does not have allowVolumeExpansion: true; set that if its provisioner can, or set spec.storage.size back` }
}

const requestOf = (claim: PersistentVolumeClaim): string | undefined => claim.spec?.resources?.requests?.['storage']

/** Whether an amount is known and less than another. */
function less (a: string | undefined, b: string): boolean {
  const [x, y] = [parseQuantity(a ?? ''), parseQuantity(b)]
  return x !== undefined && y !== undefined && compareQuantities(x, y) < 0
}
