import type { KubeObject } from '../../registry/meta/object-meta.js'
import { applyChild, type ChildResult } from '../children/apply-child.js'
import { isControlledBy } from '../children/child-kind.js'
import { problemOfEvents } from '../children/problem-of-workload.js'
import type { Problem } from '../children/problem.js'
import { writeStatus } from '../children/status.js'
import { isConflict, isNotFound } from '../client/errors.js'
import type { Clock } from '../clock.js'
import type { EventRecorder } from '../events/event-recorder.js'
import type { ReconcileRequest, ReconcileResult } from '../reconciler.js'
import { backupView, ensureBackups, planBackup } from './backups.js'
import { ensureCredentials } from './credentials.js'
import { deletingView, viewOf } from './database-status.js'
import { endDatabase } from './delete-database.js'
import { desiredConfigMap } from './desired-config-map.js'
import { wantsExporter } from './desired-metrics.js'
import { desiredClientService, desiredHeadlessService, primaryEndpoint } from './desired-services.js'
import { desiredStatefulSet, type StatefulSet } from './desired-stateful-set.js'
import { engines } from './engines/engines.js'
import { addFinalizer, finalizerOf, hasFinalizer, removeFinalizer } from './finalizer.js'
import { labelled, type DatabaseKinds } from './kinds.js'
import type { DatabaseAdapter, DatabaseView } from './model.js'
import { monitoringCondition, publishMetrics, refreshMs } from './monitoring.js'
import { fieldManager, namesOf } from './names.js'
import { settingsOf } from './settings.js'
import { claimsInTheWay, claimsOf, expandClaims, hasData, storagePlanOf, templateOf } from './storage.js'
import type { StoragePlan } from './storage-plan.js'
import { planVersion } from './version-plan.js'
import type { Work } from './work.js'

export interface DatabaseReconcilerOptions {
  readonly adapter: DatabaseAdapter
  readonly kinds: DatabaseKinds
  /** Where the official images are: `docker.io/library`, or a mirror of it. */
  readonly imageRegistry: string
  readonly clock: Clock
  readonly events?: Pick<EventRecorder, 'event'> | undefined
}

/** Something is in the way that the caches do not tell of when it goes: it is tried again, ever more rarely. */
export class DatabaseBlockedError extends Error {
  override readonly name = 'DatabaseBlockedError'
}

/** How long an event counts; looked at again until it does not. */
const lookAgainMs = 60_000

/** What became of making the children. */
interface Made {
  readonly statefulSet?: StatefulSet | undefined
  /** Nothing after it was done. */
  readonly blocked?: Problem | undefined
  readonly storage?: StoragePlan | undefined
  /** Why claims were not expanded. Nothing tells when the server would take it: a quota is not watched. */
  readonly notExpanded?: Problem | undefined
  readonly backupProblem?: Problem | undefined
  readonly metricsProblem?: Problem | undefined
}

/** Brings the objects of a Database to what it asks for, and its status to what there is. */
export class DatabaseReconciler {
  readonly #options: DatabaseReconcilerOptions
  readonly #finalizer: string

  constructor (options: DatabaseReconcilerOptions) {
    this.#options = options
    this.#finalizer = finalizerOf(options.adapter.group)
  }

  readonly reconcile = async (request: ReconcileRequest, signal: AbortSignal): Promise<ReconcileResult | undefined> => {
    const { adapter, kinds } = this.#options
    const object = kinds.databases.informer.lister.get(request)
    if (object === undefined) return undefined
    const names = namesOf(adapter.group, object)
    const work: Work = { kinds, object, names, model: adapter.model(object), settings: settingsOf(adapter.group, object), signal }
    if (object.metadata.deletionTimestamp !== undefined) return await this.#end(work)
    if (work.settings.paused) {
      const statefulSet = this.#present(work)
      await this.#tell(work, { statefulSet, storage: storagePlanOf(kinds, names, work.model, statefulSet) })
      return undefined
    }
    const kept = await addFinalizer(kinds.databases.client, object, this.#finalizer, { signal })
    const made = await this.#make({ ...work, object: kept })
    const requeueAfterMs = await this.#tell({ ...work, object: kept }, made)
    const problem = made.blocked ?? made.notExpanded ?? made.backupProblem ?? made.metricsProblem
    if (problem !== undefined) throw new DatabaseBlockedError(`${problem.reason}: ${problem.message}`)
    return { requeueAfterMs }
  }

  /** Makes everything, in the order in which one needs the other, up to what is in the way. */
  async #make (work: Work): Promise<Made> {
    const { kinds, names, model, settings, object, signal } = work
    const options = { fieldManager, signal }
    const present = this.#present(work)
    const blocked = (problem: Problem | undefined): Made => ({ blocked: problem, statefulSet: present })
    const file = engines[model.engine].configFile(model.configuration)
    if ('reason' in file) return blocked(file)
    const { image, problem } = planVersion(model, present, this.#options.imageRegistry)
    if (image === undefined) return blocked(problem)

    const inTheWay = await claimsInTheWay(kinds, names, settings, { from: present?.spec?.replicas ?? 0, to: model.replicas }, { signal })
    if (inTheWay !== undefined) return blocked(inTheWay)
    const noSecret = await ensureCredentials(kinds.secrets, { names, model, settings, hasData: hasData(kinds, names, model.replicas) }, { signal })
    if (noSecret !== undefined) return blocked(noSecret)
    for (const apply of [
      async () => await applyChild(kinds.configMaps, object, desiredConfigMap(names, model, file), options),
      async () => await applyChild(kinds.services, object, desiredHeadlessService(names, model), options),
      async () => await applyChild(kinds.services, object, desiredClientService(names, model), options)
    ] as (() => Promise<ChildResult>)[]) {
      const result = await apply()
      if ('problem' in result) return blocked(result.problem)
    }

    const planned = storagePlanOf(kinds, names, model, present)
    const notExpanded = await expandClaims(kinds, planned, model.storage.size, { signal })
    // The StatefulSet alone knows which version wrote the data: while the wanted one is refused, it is not made anew.
    const storage = notExpanded !== undefined ? { ...planned, recreate: false, expand: [], problem: notExpanded } : problem !== undefined ? { ...planned, recreate: false } : planned
    if (storage.recreate && present !== undefined) {
      await this.#release(work, present)
      return { statefulSet: present, storage, notExpanded }
    }
    // A claim that was not expanded, or a version that is refused, leaves the template as it is.
    const template = (notExpanded === undefined && problem === undefined ? undefined : templateOf(present)) ?? planned.template
    const desired = desiredStatefulSet({ names, model, settings, image, configText: file.text, storage: template, exporter: wantsExporter(model) })
    const result = await applyChild(kinds.statefulSets, object, desired, options)
    if ('problem' in result) return { blocked: result.problem, statefulSet: present, storage, notExpanded }
    return { statefulSet: result.object, storage, notExpanded, ...await this.#accompany(work, image, result.object) }
  }

  /** Backups and metrics: what goes wrong with them is no reason to leave the database alone. */
  async #accompany (work: Work, image: string, statefulSet: StatefulSet): Promise<Pick<Made, 'backupProblem' | 'metricsProblem'>> {
    const { adapter, clock } = this.#options
    if (adapter.conditionTypes.length === 0) return {}
    const { kinds, names, model } = work
    const backupProblem = await ensureBackups(work, image, this.#planBackup(work))
    const claims = claimsOf(kinds, names).filter(c => c.metadata.name !== names.backupClaim)
    const metricsProblem = await publishMetrics(work, { adapter, names, model, readyReplicas: statefulSet.status?.readyReplicas ?? 0, claims }, clock.date())
    return { backupProblem, metricsProblem }
  }

  /** Deletes a StatefulSet whose claim template is outdated, without its pods: the next one, made at the next reconcile, adopts them. */
  async #release ({ kinds, signal }: Work, { metadata: { namespace, name = '', uid = '', deletionTimestamp } }: StatefulSet): Promise<void> {
    if (deletionTimestamp !== undefined) return
    try {
      await kinds.statefulSets.client.delete({ namespace, name }, { propagationPolicy: 'Orphan', preconditions: { uid }, signal })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /** Writes the status if it says something new. @returns when to look again though nothing changes */
  async #tell (work: Work, made: Made): Promise<number | undefined> {
    const { adapter, kinds, clock } = this.#options
    const { object, names, model, settings, signal } = work
    const now = clock.date()
    const { statefulSet } = made
    const failedCreate = statefulSet === undefined || (statefulSet.status?.replicas ?? 0) >= model.replicas
      ? undefined
      : problemOfEvents(statefulSet, kinds.events.flatMap(e => e.lister.byIndex('regarding', statefulSet.metadata.uid ?? '')), { now })
    const plan = this.#planBackup(work)
    const tells = (type: 'BackupReady' | 'MonitoringReady'): boolean => adapter.conditionTypes.includes(type)
    const backup = tells('BackupReady') ? backupView(work, plan, made.backupProblem, now) : undefined
    const view = viewOf({
      object, names, model, settings, now, failedCreate, statefulSet, backup,
      blocked: made.blocked,
      upgrade: planVersion(model, statefulSet, this.#options.imageRegistry).problem,
      pods: labelled(kinds.pods, names).filter(p => p.metadata.labels?.['app.kubernetes.io/component'] === 'database'),
      claims: claimsOf(kinds, names),
      storage: made.storage,
      storageClasses: new Set(kinds.storageClasses.lister.list().map(c => c.metadata.name ?? '')),
      primary: primaryEndpoint(names, model),
      monitoring: tells('MonitoringReady') ? monitoringCondition(model, made.metricsProblem) : undefined
    })
    await writeStatus(kinds.databases.client, object, adapter.status(view), { fieldManager, signal })
    this.#announce(object, view)
    const untilBackup = backup?.nextBackup === undefined || settings.paused ? undefined : Math.max(1000, Date.parse(backup.nextBackup) - now.getTime() + 1000)
    const times = [failedCreate === undefined ? undefined : lookAgainMs, untilBackup, refreshMs(model)].filter(ms => ms !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  async #end (work: Work): Promise<ReconcileResult | undefined> {
    const { kinds, object, names, settings, signal } = work
    if (!hasFinalizer(object, this.#finalizer)) return undefined
    // Whoever orphans the children wants them as they are.
    const orphans = hasFinalizer(object, 'orphan')
    const waitingFor = settings.paused ? `annotation ${names.group}/paused is true: the deletion waits` : orphans ? undefined : await endDatabase(work)
    if (waitingFor === undefined) {
      await removeFinalizer(kinds.databases.client, object, this.#finalizer, { signal })
      return undefined
    }
    const view = deletingView({ object, names, waitingFor, replicas: this.#present(work)?.status?.replicas ?? 0, now: this.#options.clock.date() })
    await writeStatus(kinds.databases.client, object, this.#options.adapter.status(view), { fieldManager, signal })
    // What is awaited is seen when it goes; this is for what was missed.
    return { requeueAfterMs: settings.paused ? undefined : 10_000 }
  }

  /** Tells of what changed for the worse, or became good. */
  #announce (object: KubeObject, { phase, conditions }: DatabaseView): void {
    const before = object['status'] as { phase?: string, conditions?: { type: string, status: string, reason?: string }[] } | undefined
    const degraded = conditions.find(c => c.type === 'Degraded')
    const was = before?.conditions?.find(c => c.type === 'Degraded')
    if (degraded?.status === 'True' && (was?.status !== 'True' || was.reason !== degraded.reason)) {
      this.#options.events?.event(object, { type: 'Warning', reason: degraded.reason ?? 'Degraded', action: 'Reconcile', note: degraded.message ?? '' })
    } else if (phase === 'Running' && before?.phase !== 'Running') {
      this.#options.events?.event(object, { type: 'Normal', reason: 'Running', action: 'Reconcile', note: 'every instance is ready and as wanted' })
    }
  }

  #planBackup (work: Work): ReturnType<typeof planBackup> {
    const { kinds, names, model, object } = work
    const known = kinds.cronJobs.informer.lister.get({ namespace: names.namespace, name: names.backup })
    return planBackup(model, known !== undefined && isControlledBy(known, object) ? known : undefined)
  }

  /** The Database's StatefulSet, as the cache knows it. */
  #present ({ kinds, names, object }: Work): StatefulSet | undefined {
    const known = kinds.statefulSets.informer.lister.get({ namespace: names.namespace, name: names.base })
    return known !== undefined && isControlledBy(known, object) ? known : undefined
  }
}
