/** Connections that PostgreSQL closes, as it does when it is restarted, fails over or is out of patience. */
import { spawnSync } from 'node:child_process'
import { type CorruptionCase, sleep } from '../case.ts'
import type { Place } from '../engines/place.ts'
import { failed, gotOwnError, has, ok, OwnError } from '../observation.ts'
import type { Handle } from '../store.ts'

export const lostConnections: readonly CorruptionCase[] = [
  {
    id: 'rollback-fails',
    title: 'A rollback that fails does not hide why the transaction failed',
    engine: 'PostgreSQL',
    asked:
      'The server closes the connection of a transaction; then the program fails with an error of its own, and the ' +
      "rollback cannot be sent. (The application listens to the `error` events of pg's clients.)",
    right: "Nothing is kept, `[]`, and the caller gets the transaction's own error.",
    async run({ open, told, place }) {
      const store = await open({ listensToClients: true })
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('row')
          await place.execute(`select pg_terminate_backend(${await backendOf(handle)})`)
          await sleep(100)
          throw new OwnError()
        }),
      )
    },
    isRight: (seen) => has(seen) && gotOwnError(seen, 'the transaction'),
  },
  {
    id: 'begin-fails',
    title: 'A BEGIN that fails costs no connection',
    engine: 'PostgreSQL',
    threads: ['drizzle-team/drizzle-orm#6241', 'drizzle-team/drizzle-orm#6341'],
    asked:
      'The server closes an idle connection of the pool, and a transaction gets it before the program has heard of that: ' +
      'its BEGIN fails. Then another transaction is asked for. The pool has one connection. (The application listens to ' +
      "the `error` events of pg's clients.)",
    right: 'The first is told ok or an error, and the next one works: `[next]`.',
    async run({ open, told, place }) {
      const store = await open({ connections: 1, listensToClients: true })
      const pid = await backendOf(store)
      terminateAtOnce(place, pid)
      await told.of(
        'the first transaction',
        store.transaction((handle) => handle.insert('first')),
      )
      await sleep(100)
      await told.of(
        'the next one',
        store.transaction((handle) => handle.insert('next')),
      )
    },
    isRight: (seen) =>
      ok(seen, 'the next one') &&
      (ok(seen, 'the first transaction') ? has(seen, 'first', 'next') : has(seen, 'next')),
  },
  {
    id: 'connection-lost-in-a-pause',
    title:
      'A connection lost while its transaction awaits something else costs that transaction, not the process',
    engine: 'PostgreSQL',
    byHand: true,
    threads: ['brianc/node-postgres#2386', 'brianc/node-postgres#2439'],
    asked:
      "The server closes the connection of a transaction that is awaiting something else. Nobody listens to pg's clients, " +
      'since it is the pool that they belong to. (The pool has an `error` listener.)',
    right: 'The transaction is told an error, `[]`, and the next one works: the process is alive.',
    async run({ open, told, place }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('row')
          await place.execute(`select pg_terminate_backend(${await backendOf(handle)})`)
          await sleep(200)
        }),
      )
      await told.of(
        'the next one',
        store.transaction((handle) => handle.insert('next')),
      )
    },
    isRight: (seen) =>
      has(seen, 'next') && failed(seen, 'the transaction') && ok(seen, 'the next one'),
  },
]

async function backendOf(handle: Handle): Promise<number> {
  const [row] = await handle.execute('select pg_backend_pid() as pid')
  return Number(row!['pid'])
}

const terminator = `
  import pg from 'pg'
  const [url, pid] = process.argv.slice(-2)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('select pg_terminate_backend($1, 2000)', [pid])
  await client.end()
`

/** Ends a connection while this process stands still, so that it has not heard of it when it goes on. */
function terminateAtOnce({ location }: Place, pid: number): void {
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', terminator, location, String(pid)],
    { cwd: import.meta.dirname, encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
}
