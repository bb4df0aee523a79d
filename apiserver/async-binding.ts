import { AsyncResource } from 'node:async_hooks'

type Bind = (this: AsyncResource, fn: (...args: unknown[]) => unknown, thisArg?: unknown) => (...args: unknown[]) => unknown

/**
 * Lets `AsyncResource.prototype.bind` of this process answer plain functions. Node 20 gives each an accessor, the deprecated `asyncResource`
 * (DEP0172), and V8 makes a hidden class of every new accessor, which keeps what its functions close over until the next full
 * collection. node:http2 binds one function for each request of a client: every question to etcd stayed in memory with its streams, and minor
 * collections copied it, twice. Does nothing where Node has done without the accessor.
 */
export function bindPlainly (): void {
  const probe = new AsyncResource('probe').bind(() => {})
  if (Object.getOwnPropertyDescriptor(probe, 'asyncResource')?.get === undefined) return
  const bind: Bind = function (fn, thisArg) {
    if (typeof fn !== 'function') throw new TypeError('The "fn" argument must be of type function')
    const run = this.runInAsyncScope.bind(this) as (fn: unknown, thisArg: unknown, ...args: unknown[]) => unknown
    return thisArg === undefined ? function (this: unknown, ...args) { return run(fn, this, ...args) } : (...args) => run(fn, thisArg, ...args)
  }
  AsyncResource.prototype.bind = bind as typeof AsyncResource.prototype.bind
}
