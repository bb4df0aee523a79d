import { createRequire } from 'node:module'
import type nodeForge from 'node-forge'

type Forge = typeof nodeForge
const require = createRequire(import.meta.url)
let loaded: Forge | undefined
const load = (): Forge => loaded ??= require('node-forge') as Forge

/** The parts of node-forge that are used here, loaded when the first certificate is made or verified: a server that starts need not wait for it. */
export const forge: Pick<Forge, 'asn1' | 'pki' | 'jsbn' | 'util'> = {
  get asn1 () { return load().asn1 },
  get pki () { return load().pki },
  get jsbn () { return load().jsbn },
  get util () { return load().util }
}
