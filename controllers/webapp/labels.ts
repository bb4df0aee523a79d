/** What every object of the operator carries; its caches hold nothing else. */
export const managedBy = 'annex-webapp-operator'
/** The one field manager of everything that the operator writes. */
export const fieldManager = 'annex-webapp-operator'
/** On the pods of a WebApp, its name. */
export const instanceLabel = 'app.kubernetes.io/instance'

/** What finds the pods of a WebApp. A Deployment's selector cannot be changed, so neither can this. */
export const selectorLabels = (name: string): Record<string, string> => ({ 'app.kubernetes.io/name': 'webapp', [instanceLabel]: name })
export const childLabels = (name: string): Record<string, string> => ({ ...selectorLabels(name), 'app.kubernetes.io/managed-by': managedBy })

export const managedSelector = `app.kubernetes.io/managed-by=${managedBy}`

/** The selector as text, for the scale subresource. */
export const selectorText = (name: string): string => Object.entries(selectorLabels(name)).map(([key, value]) => `${key}=${value}`).join(',')
