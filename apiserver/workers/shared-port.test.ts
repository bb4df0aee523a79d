import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { SharedPort, type Taker } from './shared-port.js'

/** A taker that answers when the test says so. */
class SlowTaker implements Taker {
  accepting = true
  draining = false
  readonly handed: { socket: Socket; answer: (taken: boolean) => void }[] = []
  hand (socket: Socket): Promise<boolean> { return new Promise(resolve => { this.handed.push({ socket, answer: resolve }) }) }
}

async function opened (t: Test): Promise<{ port: SharedPort; client: () => Promise<Socket> }> {
  const port = new SharedPort()
  const number = await port.listen({ bindAddress: '127.0.0.1', port: 0 })
  t.equal(await port.listen({ bindAddress: '127.0.0.1', port: 0 }), number, 'there is one port')
  const clients: Socket[] = []
  t.teardown(() => {
    port.close()
    for (const client of clients) client.destroy()
  })
  return {
    port,
    client: async () => {
      const socket = connect(number, '127.0.0.1').on('error', () => {})
      clients.push(socket)
      await once(socket, 'connect')
      return socket
    }
  }
}

async function until (condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    if (condition()) return
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error('that never came')
}

t.test('in turn, and one at a time each', async t => {
  const { port, client } = await opened(t)
  const [a, b] = [new SlowTaker(), new SlowTaker()]
  port.add(a)
  port.add(b)
  for (let i = 0; i < 5; i++) await client()
  await until(() => a.handed.length === 1 && b.handed.length === 1)
  b.handed[0]!.answer(true)
  await until(() => b.handed.length === 2)
  b.handed[1]!.answer(true)
  await until(() => b.handed.length === 3)
  t.equal(a.handed.length, 1, 'one that is stuck gets nothing more')
  a.handed[0]!.answer(true)
  await until(() => a.handed.length === 2)
})

t.test('what is not taken goes to another one; before there is one, it waits', async t => {
  const { port, client } = await opened(t)
  const [a, b] = [new SlowTaker(), new SlowTaker()]
  await client()
  port.add(a)
  await until(() => a.handed.length === 1)
  a.accepting = false
  port.remove(a)
  a.handed[0]!.answer(false)
  port.add(b)
  await until(() => b.handed.length === 1)
  t.equal(b.handed[0]!.socket, a.handed[0]!.socket)
  t.notOk(b.handed[0]!.socket.destroyed)
  b.handed[0]!.answer(true)
  await until(() => b.handed[0]!.socket.destroyed)
})

t.test('one that ends is asked only if all others end too', async t => {
  const { port, client } = await opened(t)
  const [a, b] = [new SlowTaker(), new SlowTaker()]
  port.add(a)
  port.add(b)
  a.draining = true
  await client()
  await until(() => b.handed.length === 1)
  b.handed[0]!.answer(true)
  await client()
  await until(() => b.handed.length === 2)
  t.equal(a.handed.length, 0)
  b.handed[1]!.answer(true)
  b.draining = true
  await client()
  await until(() => a.handed.length === 1)
})

t.test('only so many wait, and those who do are closed at the end', async t => {
  const { port, client } = await opened(t)
  const waiting = await client()
  await Promise.all(Array.from({ length: 1_023 }, client))
  const beyond = await client()
  await once(beyond, 'close')
  t.notOk(waiting.destroyed)
  port.close()
  await once(waiting, 'close')
})
