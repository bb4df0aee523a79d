import { stringify } from 'yaml'
import type { Installation } from '../installation.js'
import { names } from '../names.js'
import { apiServices } from './api-services.js'
import { controllerManager } from './controller-manager.js'
import type { Manifest } from './manifest.js'
import { namespace } from './namespace.js'
import { serverRbac, serviceAccount } from './rbac.js'
import { server } from './server.js'
import { userRoles } from './user-roles.js'

/** Everything that is installed, in the order in which it is applied: what others need comes first, APIServices last. */
export function manifests (installation: Installation): Manifest[] {
  return [
    namespace(installation),
    serviceAccount(names.server, installation.namespace, 'apiserver'),
    ...serverRbac(installation),
    ...userRoles(installation),
    ...installation.controllerManager ? controllerManager(installation) : [],
    ...server(installation),
    ...apiServices(installation)
  ]
}

/** Manifests as YAML documents; the same ones are always the same text. */
export const manifestsYaml = (list: readonly Manifest[]): string =>
  list.map(manifest => `---\n${stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false })}`).join('')
