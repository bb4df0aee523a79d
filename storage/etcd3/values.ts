import type { IKeyValue } from 'etcd3'
import type { StoredValue } from '../interfaces.js'

/**
 * One key of a reply. The bytes are copied: the decoder's are a view of the whole reply, which may be megabytes and would stay in memory
 * as long as a single value of it is kept.
 */
export function toStoredValue (kv: IKeyValue): StoredValue {
  return { key: kv.key.toString(), value: Buffer.from(kv.value), modRevision: BigInt(kv.mod_revision) }
}
