import * as threads from 'node:worker_threads'
import { fileIdentity } from './process-files.ts'

/**
 * Opens a file while no other thread of this process does, so that each sees what another has opened. Node has had the
 * locks for it since 24.5 (https://nodejs.org/api/worker_threads.html#worker_threadslocks); without them, two threads
 * that begin at the same moment may both be refused.
 */
export async function inTurn<R>(path: string, work: () => Promise<R>): Promise<R> {
  const { locks } = threads as { readonly locks?: typeof threads.locks }
  if (locks === undefined) return work()
  const file = fileIdentity(path)
  const name = file === undefined ? path : `${file.device}:${file.inode}`
  return locks.request(`keelson.duckdb:${name}`, work)
}
