// A `connectionModule` that lets the database be opened, and fails with the connections of its threads.
import { isMainThread } from 'node:worker_threads'

export default function register(): void {
  if (!isMainThread) throw new TypeError('this module fails in threads')
}
