import { resources as dbExample } from './db.example.com/group.js'
import { resources as example } from './example.com/group.js'
import type { Resource } from './generic/resource.js'
import { resources as metrics } from './metrics.example.com/group.js'
import { resources as mycompany } from './mycompany.io/group.js'

/** Every resource that this server is built with; files given with --crd-file add theirs. */
export const builtInResources: readonly Resource[] = [...metrics, ...mycompany, ...dbExample, ...example]
