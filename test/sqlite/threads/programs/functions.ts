// What every connection of a database gets whose option `connectionModule` names this file.
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { isMainThread, threadId } from 'node:worker_threads'
import type Database from 'better-sqlite3'

const nap = new Int32Array(new SharedArrayBuffer(4))
let begun = 0

export default function register(database: Database.Database): void {
  // Waits until the directory has a file `go`, or is deleted; leaves a file of its own to say that it waits.
  database.function('hold', { directOnly: true }, (directory) => {
    const isHeld = (): boolean =>
      existsSync(String(directory)) && !existsSync(`${String(directory)}/go`)
    if (isHeld()) writeFileSync(`${String(directory)}/${threadId}-${begun++}`, '')
    while (isHeld()) Atomics.wait(nap, 0, 0, 2)
    return 1
  })
  // A byte for each row.
  database.function('count_row', (file) => {
    appendFileSync(String(file), '.')
    return 1
  })
  database.function('thread', () => threadId)
  // Ends the thread, as a crash does; never the whole process.
  database.function('end_thread', () => {
    if (isMainThread) throw new Error('There is no thread to end.')
    process.exit(7)
  })
  database.function('throws', () => {
    throw new RangeError('thrown by a function')
  })
  // What an error should not be.
  database.function('throws_its_own_cause', () => {
    const error = new Error('its own cause')
    error.cause = error
    throw error
  })
  database.function('throws_no_error', () => {
    throw Object.create(null)
  })
  database.aggregate('longest', {
    start: '',
    step: (longest: string, each: string) => (each.length > longest.length ? each : longest),
  })
}
