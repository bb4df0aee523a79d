import { randomUUID } from 'node:crypto'
import { flunder, storedName } from './scene.js'

/** etcd allows 128 operations in a transaction. */
const perTransaction = 128

interface Range { readonly kvs?: readonly { readonly key: string; readonly value: string }[] }

/**
 * Puts objects into etcd as their server would have stored them, made from one that it did store: many times faster than asking it. The
 * server should not run meanwhile.
 * @param prefix the server's in etcd
 * @throws Error if there is no object to copy, or etcd refuses
 */
export async function seedEtcd (url: string, prefix: string, from: number, to: number): Promise<void> {
  const template = storedName(0)
  const { kvs = [] } = await ask<Range>(url, 'range', { key: base64(prefix), range_end: base64(`${prefix}\uffff`) , keys_only: true, limit: 0 })
  const key = kvs.map(kv => Buffer.from(kv.key, 'base64').toString()).find(k => k.endsWith(`/default/${template}`))
  if (key === undefined) throw new Error(`no ${template} below ${prefix}`)
  const { kvs: [stored] = [] } = await ask<Range>(url, 'range', { key: base64(key) })
  const object = JSON.parse(Buffer.from(stored!.value, 'base64').toString()) as { metadata: Record<string, unknown>; spec: object }
  for (let i = from; i < to; i += perTransaction) {
    const success = Array.from({ length: Math.min(perTransaction, to - i) }, (_, n) => {
      const name = storedName(i + n)
      const { metadata, spec } = flunder('default', name, i + n)
      const { labels, annotations } = metadata
      const value = { ...object, metadata: { ...object.metadata, name, uid: randomUUID(), labels, annotations }, spec }
      return { requestPut: { key: base64(key.slice(0, -template.length) + name), value: base64(JSON.stringify(value)) } }
    })
    await ask(url, 'txn', { success })
  }
}

async function ask<T> (url: string, call: 'range' | 'txn', body: unknown): Promise<T> {
  const answer = await fetch(`${url}/v3/kv/${call}`, { method: 'POST', body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`etcd answered ${answer.status} to ${call}: ${(await answer.text()).slice(0, 300)}`)
  return await answer.json() as T
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
