import { metaPrefix, versionInfoName } from './meta-schemas.js'
import { identifier, objectMediaTypes, type Operation } from './operation.js'

/** `GET /apis/`. */
export const groupListOperation = (): Operation => readOperation('/apis/', 'getAPIVersions', 'apis', 'get available API versions', `${metaPrefix}APIGroupList`)

/** `GET /apis/G/`. */
export function groupOperation (group: string): Operation {
  const name = group.replace(/\.k8s\.io$/, '')
  return readOperation(`/apis/${group}/`, `get${identifier(name, true)}APIGroup`, identifier(name, false), 'get information of a group', `${metaPrefix}APIGroup`)
}

/** `GET /version/`. */
export const versionOperation = (): Operation =>
  ({ ...readOperation('/version/', 'getCodeVersion', 'version', 'get the version information for this server', versionInfoName), consumes: ['application/json'], produces: ['application/json'] })

const readOperation = (path: string, operationId: string, tag: string, description: string, schema: string): Operation => ({
  path,
  method: 'get',
  operationId,
  tag,
  description,
  parameters: [],
  consumes: objectMediaTypes,
  produces: objectMediaTypes,
  responses: [{ code: 200, description: 'OK', schema }]
})
