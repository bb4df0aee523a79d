/** A path or query parameter, apart from how a document spells it. */
export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly type: 'string' | 'integer' | 'boolean'
  readonly description: string
}

const query = (name: string, type: Parameter['type'], description: string): Parameter => ({ name, in: 'query', type, description })

const versions = 'See https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions'
const resourceVersion = (): Parameter => query('resourceVersion', 'string', `Which state of the store the answer may be taken from: absent for the latest, "0" for any, a version for that or a later one. ${versions}`)
const dryRun = (): Parameter => query('dryRun', 'string', 'With "All" the request goes through every stage and nothing is stored. Other values are refused.')
const fieldManager = (patch: boolean): Parameter => query('fieldManager', 'string',
  `The name under which the changed fields are managed: printable characters, at most 128. ${patch ? 'Required for apply requests, optional for the other patches' : 'Default: the beginning of the User-Agent'}.`)
const fieldValidation = (): Parameter => query('fieldValidation', 'string',
  'What becomes of unknown and duplicate fields in the body: "Ignore" drops them, "Warn" (the default) drops them and answers with Warning headers, "Strict" refuses the request with all of them listed.')

/** The members of `metav1.ListOptions`, as query parameters sorted by name. */
const listOptions = (): Parameter[] => [
  query('allowWatchBookmarks', 'boolean', 'Whether a watch may send events of type BOOKMARK, which carry nothing but a newer resource version. The server chooses when.'),
  query('continue', 'string', 'The token of the previous part of a list, for the next one; the other parameters must be the same. When the token is too old the answer is 410 with a token with which to go on in a newer state. Not for watches.'),
  query('fieldSelector', 'string', 'Only objects whose fields fit this selector. Default: all.'),
  query('labelSelector', 'string', 'Only objects whose labels fit this selector. Default: all.'),
  query('limit', 'integer', 'At most how many items to return. If there are more, the metadata of the list holds a `continue` token, and all parts together are one consistent list. Not for watches.'),
  resourceVersion(),
  query('resourceVersionMatch', 'string', `How resourceVersion is meant for lists: "Exact" or "NotOlderThan". ${versions}`),
  query('sendInitialEvents', 'boolean', 'Whether a watch begins with the objects that there are, as ADDED events, and a BOOKMARK with the annotation "k8s.io/initial-events-end": "true" after them. Needs resourceVersionMatch=NotOlderThan.'),
  query('timeoutSeconds', 'integer', 'After how many seconds the server ends the list or watch.'),
  query('watch', 'boolean', 'Whether to be told of changes, as a stream of events, instead of getting a list.')
]

/** What `x-kubernetes-action` says of an operation. */
export type Action = 'get' | 'list' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection'

/** The options of an action, as query parameters sorted by name. */
export function optionParameters (action: Action): Parameter[] {
  switch (action) {
    case 'get': return [resourceVersion()]
    case 'list':
    case 'deletecollection': return listOptions()
    case 'post':
    case 'put': return [dryRun(), fieldManager(false), fieldValidation()]
    case 'patch': return [dryRun(), fieldManager(true), fieldValidation(), query('force', 'boolean', 'Whether an apply request takes over the fields that others manage, instead of being refused as a conflict. Must be absent for the other patches.')]
    case 'delete': return [
      dryRun(),
      query('gracePeriodSeconds', 'integer', 'How many seconds the object has to stop by itself, not negative. 0 deletes at once; absent means the default of the kind.'),
      query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy. Whether dependents are left as orphans. Not both can be given.'),
      query('propagationPolicy', 'string', 'What becomes of dependents: "Orphan", "Background" or "Foreground". Default: what the finalizers of the object say, else what is usual for the kind.')
    ]
  }
}

/** The parameters of a path itself, and `pretty`, which every operation has. */
export function pathParameters (path: string, kind: string): Parameter[] {
  return [
    ...(path.includes('{name}') ? [{ name: 'name', in: 'path', type: 'string', description: `The name of the ${kind}.` } as const] : []),
    ...(path.includes('{namespace}') ? [{ name: 'namespace', in: 'path', type: 'string', description: 'The namespace.' } as const] : []),
    query('pretty', 'string', "If 'true' the answer is indented. Default: only for browsers, curl and wget.")
  ]
}
