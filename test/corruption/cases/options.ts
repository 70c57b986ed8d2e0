/** What a transaction was asked for, and the two defaults of SQLite that one has to know. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { type CorruptionCase, sleep } from '../case.ts'
import { failed, has, ok } from '../observation.ts'

export const options: readonly CorruptionCase[] = [
  {
    id: 'read-only-on-sqlite',
    title: 'A read-only transaction does not write (SQLite)',
    engine: 'SQLite',
    needs: ['accessMode'],
    asked: 'A transaction is asked for as read only, and inserts a row.',
    right: 'Nothing is written, `[]`, and the transaction is told an error.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction((handle) => handle.insert('row'), { accessMode: 'read only' }),
      )
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      told.ofSync('the transaction', () =>
        store.transaction((handle) => handle.insert('row'), { accessMode: 'read only' }),
      )
    },
    isRight: (seen) => has(seen) && failed(seen, 'the transaction'),
  },
  {
    id: 'read-only-part',
    title: 'Options of a nested transaction are honoured or refused',
    engine: 'PostgreSQL',
    needs: ['nested', 'nestedOptions'],
    asked: 'Inside a transaction, a nested one is asked for as read only, and inserts a row.',
    right: 'The nested one is told an error, and nothing of it is written: `[]` or `[outer]`.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.nesting(async (outer) => {
          await outer.insert('outer')
          await told.of(
            'the nested one',
            outer.nested((inner) => inner.insert('inner'), { accessMode: 'read only' }),
          )
        }),
      )
    },
    isRight: (seen) => !seen.rows.includes('inner') && failed(seen, 'the nested one'),
  },
  {
    id: 'read-then-write',
    title: 'A transaction that reads first and writes then waits its turn beside other writers',
    engine: 'SQLite',
    asked:
      'A transaction reads, does something else for a moment, and writes. Meanwhile another process writes a row. ' +
      'Both are ready to wait for 5 s (`busy_timeout`).',
    right: 'Both are told ok, in whatever order: the rows of both.',
    async run({ open, told, place }) {
      const store = await open()
      const other = await otherWriter(place.location)
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.execute('select count(*) from t')
          other.go()
          await sleep(300)
          await handle.insert('own')
        }),
      )
      await told.of('the other writer', other.done())
    },
    async runSync({ openSync, told, place }) {
      const store = openSync()
      const other = await otherWriter(place.location)
      told.ofSync('the transaction', () =>
        store.transaction((handle) => {
          handle.execute('select count(*) from t')
          other.go()
          stand(300)
          handle.insert('own')
        }),
      )
      await told.of('the other writer', other.done())
    },
    isRight: (seen) =>
      seen.rows.toSorted().join() === 'other,own' &&
      ok(seen, 'the transaction', 'the other writer'),
  },
]

const writer = `
  const Database = require('better-sqlite3')
  const { existsSync } = require('node:fs')
  const [location] = process.argv.slice(-1)
  const db = new Database(location, { timeout: 5000 })
  const insert = db.prepare("insert into t (v) values ('other')")
  console.log('ready')
  const timer = setInterval(() => {
    if (!existsSync(location + '.go')) return
    clearInterval(timer)
    insert.run()
    db.close()
  }, 5)
`

/** Another process that inserts a row when told to. */
async function otherWriter(location: string): Promise<{
  go(): void
  done(): Promise<void>
}> {
  const child = spawn(process.execPath, ['--input-type=commonjs', '--eval', writer, location], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const complaints = text(child.stderr)
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  return {
    // A file, since a synchronous transaction gives Node no time to send a message.
    go: () => writeFileSync(`${location}.go`, ''),
    async done() {
      const [code] = await ended
      if (code !== 0) throw new Error(/SqliteError: .*/.exec(await complaints)?.[0])
    },
  }
}

/** Holds up this thread, which is what a synchronous transaction does when it is busy. */
function stand(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
