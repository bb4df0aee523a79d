import { EmbeddedStorage } from '../storage/embedded/storage.js'
import type { Storage } from '../storage/interfaces.js'
import type { ApiserverConfig } from './options/apiserver-options.js'

/** Opens the store that the config names. etcd need not be there yet; the embedded store must open. @throws StorageError */
export async function openStorage (config: ApiserverConfig['storage']): Promise<Storage> {
  if (config.type === 'embedded') {
    const { directory, compactionIntervalMs } = config
    // As with etcd, history lives for one to two intervals.
    return EmbeddedStorage.open({ directory, compactionIntervalMs, ...(compactionIntervalMs > 0 && { historyMs: compactionIntervalMs }) })
  }
  const { Etcd3Storage } = await import('../storage/etcd3/storage.js')
  return Etcd3Storage.open({
    endpoints: config.servers,
    prefix: config.prefix,
    caFile: config.caFile,
    certFile: config.client?.certificateFile,
    keyFile: config.client?.keyFile,
    compactionIntervalMs: config.compactionIntervalMs
  })
}
