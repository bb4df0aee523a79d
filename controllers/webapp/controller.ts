import type { WebApp } from '../../registry/example.com/webapps/types.js'
import { childKind } from '../children/child-kind.js'
import type { Pod, Workload } from '../children/types.js'
import { Controller } from '../controller.js'
import { Informer } from '../informer/informer.js'
import type { ControllerContext } from '../manager/controller-context.js'
import { keyOf, keyOfObject } from '../object-key.js'
import type { ReconcileRequest } from '../reconciler.js'
import { mapped, objectsOf, ownersOf } from '../sources.js'
import { instanceLabel, managedSelector } from './labels.js'
import { webAppReconciler } from './reconciler.js'

const owner = { group: 'example.com', kind: 'WebApp' }
const instanceIndex = 'instance'

/** The WebApp operator: its informers, and what makes it reconcile. */
export function newWebAppController (context: ControllerContext): Controller {
  const { client, clock, log, metrics, workers, resyncMs } = context
  const child = { client, labelSelector: managedSelector, log, clock }
  const webapps = client.resource<WebApp>({ group: owner.group, version: 'v1', resource: 'webapps' })
  const informer = new Informer<WebApp>({ source: webapps, log, clock })
  const deployments = childKind<Workload>({ ...child, gvr: { group: 'apps', version: 'v1', resource: 'deployments' }, kind: 'Deployment' })
  const services = childKind({ ...child, gvr: { group: '', version: 'v1', resource: 'services' }, kind: 'Service' })
  const disruptionBudgets = childKind({ ...child, gvr: { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' }, kind: 'PodDisruptionBudget' })
  const pods = new Informer<Pod>({
    source: client.resource<Pod>({ group: '', version: 'v1', resource: 'pods' }),
    labelSelector: managedSelector,
    indexers: { [instanceIndex]: pod => webAppsOf(pod).map(keyOf) },
    transform: withoutSpec,
    log,
    clock
  })
  return new Controller({
    name: 'webapp',
    sources: [
      objectsOf(informer, { resyncMs }),
      ownersOf(deployments.informer, owner),
      ownersOf(services.informer, owner),
      ownersOf(disruptionBudgets.informer, owner),
      mapped(pods, webAppsOf)
    ],
    workers,
    metrics,
    log,
    clock,
    rateLimiter: context.rateLimiter,
    reconcile: webAppReconciler({
      webapps: { client: webapps, lister: informer.lister },
      deployments,
      services,
      disruptionBudgets,
      podsOf: webapp => pods.lister.byIndex(instanceIndex, keyOfObject(webapp)),
      events: context.events,
      clock
    })
  })
}

/** The WebApp whose labels a pod carries. */
function webAppsOf ({ metadata }: Pod): ReconcileRequest[] {
  const name = metadata.labels?.[instanceLabel]
  return name === undefined ? [] : [{ namespace: metadata.namespace, name }]
}

/** There are many pods, and only why one does not work is read. */
function withoutSpec (pod: Pod): Pod {
  const { managedFields: _, ...metadata } = pod.metadata
  return { apiVersion: pod.apiVersion, kind: pod.kind, metadata, ...(pod.status && { status: pod.status }) }
}
