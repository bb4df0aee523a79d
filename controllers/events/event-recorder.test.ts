import t, { type Test } from 'tap'
import { until } from '../../test/fixtures/control-plane-conditions.js'
import { RestClient } from '../client/rest-client.js'
import { FakeClock, settle } from '../testing/fake-clock.js'
import { startFakeServer, type FakeServer } from '../testing/fake-server.js'
import { EventRecorder, type EventDescription } from './event-recorder.js'

const webapp = { apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { namespace: 'ns', name: 'one', uid: 'u', resourceVersion: '5' } }
const failed: EventDescription = { type: 'Warning', reason: 'FailedCreate', action: 'CreateDeployment', note: 'quota exceeded' }

async function start (t: Test): Promise<{ server: FakeServer, clock: FakeClock, recorder: EventRecorder, stop: AbortController, ended: Promise<void>, written (count: number): Promise<void> }> {
  const server = await startFakeServer(t)
  server.otherwise = () => ({ body: {} })
  const clock = new FakeClock()
  const client = new RestClient({ connection: { server: server.url }, qps: Infinity })
  const recorder = new EventRecorder({ client, reportingController: 'example.com/webapps', reportingInstance: 'pod-1', clock })
  const stop = new AbortController()
  const ended = recorder.run(stop.signal)
  t.teardown(async () => { stop.abort(); await ended; client.close() })
  return { server, clock, recorder, stop, ended, written: async count => { await until(`${count} requests`, () => server.requests.length >= count, { intervalMs: 5 }); await settle() } }
}

t.test('an event is one of events.k8s.io/v1', async t => {
  const { server, recorder, written } = await start(t)
  recorder.event(webapp, { ...failed, note: 'é'.repeat(1000), related: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } } })
  await written(1)
  t.match(server.requests[0], { method: 'POST', url: '/apis/events.k8s.io/v1/namespaces/ns/events' })
  const event = JSON.parse(server.requests[0]!.body) as { metadata: { name: string }, note: string }
  t.match(event, {
    apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { namespace: 'ns', name: /^one\.[0-9a-f]+$/ }, eventTime: '2026-01-02T03:04:05.000000Z', reportingController: 'example.com/webapps', reportingInstance: 'pod-1',
    type: 'Warning', reason: 'FailedCreate', action: 'CreateDeployment', regarding: { ...webapp.metadata, kind: 'WebApp', apiVersion: 'example.com/v1' }, related: { kind: 'Pod', name: 'p' }
  })
  t.ok(Buffer.byteLength(event.note) <= 1024 && /^é+\.\.\.$/.test(event.note), 'a long note is cut between characters')
})

t.test('what is said again becomes a series: written at once when it begins, counted when it is over', async t => {
  const { server, clock, recorder, written } = await start(t)
  recorder.event(webapp, failed)
  await written(1)
  await clock.advance(1_000)
  recorder.event({ ...webapp, metadata: { ...webapp.metadata, resourceVersion: '6' } }, failed)
  await written(2)
  t.match(server.requests[1], { method: 'PATCH', body: '{"series":{"count":2,"lastObservedTime":"2026-01-02T03:04:06.000000Z"}}', headers: { 'content-type': 'application/merge-patch+json' } })
  for (let i = 0; i < 50; i++) recorder.event(webapp, failed)
  recorder.event(webapp, { ...failed, reason: 'Other' })
  await written(3)
  t.match(server.requests[2], { method: 'POST', body: /"reason":"Other"/ })
  await clock.advance(12 * 60_000)
  await written(4)
  t.match(server.requests[3], { method: 'PATCH', body: /"count":52/ })
  recorder.event(webapp, failed)
  await written(5)
  t.match(server.requests[4], { method: 'POST' }, 'a new event after that')
})

t.test('a series whose event has expired is written as a new one', async t => {
  const { server, recorder, written } = await start(t)
  server.answer({ body: {} }, { code: 404 }, { body: {} })
  recorder.event(webapp, failed)
  await written(1)
  recorder.event(webapp, failed)
  await written(3)
  t.match(server.requests.slice(1), [{ method: 'PATCH' }, { method: 'POST', body: /"series":\{"count":2/ }])
})

t.test('of one object there are 25 new events, then one every five minutes; others have their own', async t => {
  const { server, clock, recorder, written } = await start(t)
  for (let i = 0; i < 40; i++) recorder.event(webapp, { ...failed, reason: `Reason${i}` })
  recorder.event({ ...webapp, metadata: { ...webapp.metadata, name: 'two', uid: 'v' } }, failed)
  await written(26)
  t.equal(server.requests.length, 26)
  await clock.advance(300_000)
  recorder.event(webapp, { ...failed, reason: 'Later' })
  recorder.event(webapp, { ...failed, reason: 'TooEarly' })
  await written(27)
  t.match(server.requests[26]!.body, /Later/)
})

t.test('without an answer it is tried again; what the server refuses is not', async t => {
  const { server, clock, recorder, written } = await start(t)
  server.answer(response => { response.destroy() }, { body: {} }, { code: 403 })
  recorder.event(webapp, failed)
  await written(1)
  await until('it to wait', () => clock.timers >= 2, { intervalMs: 5 })
  await clock.advance(13_000)
  await written(2)
  recorder.event(webapp, { ...failed, reason: 'Refused' })
  recorder.event(webapp, { ...failed, reason: 'Next' })
  await written(4)
  t.same(server.requests.map(r => /"reason":"(\w+)"/.exec(r.body)![1]), ['FailedCreate', 'FailedCreate', 'Refused', 'Next'])
})

t.test('stopping writes what is left', async t => {
  const { server, recorder, stop, ended } = await start(t)
  for (let i = 0; i < 3; i++) recorder.event(webapp, { ...failed, reason: `Reason${i}` })
  stop.abort()
  await ended
  t.ok(server.requests.length >= 2)
})
