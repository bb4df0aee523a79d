import { Etcd3Storage } from './storage.js'
import type { Etcd3StorageOptions } from './options.js'

/** For the tests of this folder: a store that closes when the test ends and does not compact by itself. */
export async function open (t: { teardown (end: () => Promise<void>): void }, endpoint: string, options: Partial<Etcd3StorageOptions> = {}): Promise<Etcd3Storage> {
  const storage = await Etcd3Storage.open({ endpoints: [endpoint], compactionIntervalMs: 0, ...options })
  t.teardown(async () => { await storage.close() })
  return storage
}

/** The bytes of an object that nobody else can have written. */
export function object (n: number | string): Buffer {
  return Buffer.from(JSON.stringify({ metadata: { name: `${n}`, uid: `uid-${n}` } }))
}

/** Waits for a condition that something else brings about. */
export async function eventually<T> (read: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read()
    if (done(value)) return value
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}
