/** Async callbacks over better-sqlite3, whose calls are synchronous. */
import { type CorruptionCase, sleep } from '../case.ts'
import { failed, has, ok, OwnError } from '../observation.ts'

export const syncCallbacks: readonly CorruptionCase[] = [
  {
    id: 'async-callback-on-sqlite',
    title: 'A transaction on SQLite may await something between its statements',
    engine: 'SQLite',
    threads: ['drizzle-team/drizzle-orm#2275', 'drizzle-team/drizzle-orm#5063'],
    asked: 'A transaction inserts a row, awaits a timer, and inserts another.',
    right: 'Both rows: `[before, after]`.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('before')
          await sleep(10)
          await handle.insert('after')
        }),
      )
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      told.ofSync('the transaction', () =>
        store.transaction(async (handle) => {
          handle.insert('before')
          await sleep(10)
          handle.insert('after')
        }),
      )
      await sleep(50)
    },
    isRight: (seen) => has(seen, 'before', 'after') && ok(seen, 'the transaction'),
    isRefused: (seen) => has(seen) && failed(seen, 'the transaction'),
  },
  {
    id: 'async-part-fails-after-its-await',
    title: 'A nested async callback that fails after an await takes its rows with it',
    engine: 'SQLite',
    threads: ['drizzle-team/drizzle-orm#1472'],
    asked:
      'A transaction opens a nested one with an async callback, which inserts a row, awaits a timer, inserts another, ' +
      'and fails. The outer transaction catches the error and inserts a row of its own.',
    right:
      'No row of the nested one, and its error is told: `[outer]`, or `[]` if the library refuses async callbacks here.',
    needs: ['nested'],
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.nesting(async (outer) => {
          await told.of(
            'the nested one',
            outer.nested(async (inner) => {
              await inner.insert('before the await')
              await sleep(10)
              await inner.insert('after the await')
              throw new OwnError()
            }),
          )
          await outer.insert('outer')
        }),
      )
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      const pending: Promise<unknown>[] = []
      told.ofSync('the transaction', () =>
        store.transaction((outer) => {
          told.ofSync('the nested one', () => {
            const nested = outer.nested(async (inner) => {
              inner.insert('before the await')
              await sleep(10)
              inner.insert('after the await')
              throw new OwnError()
            })
            // A library without promises leaves it to the program to look at this one.
            pending.push(nested.catch(() => {}))
          })
          outer.insert('outer')
        }),
      )
      await sleep(50)
      await Promise.all(pending)
    },
    isRight: (seen) =>
      (has(seen, 'outer') && ok(seen, 'the transaction') && failed(seen, 'the nested one')) ||
      (has(seen) && failed(seen, 'the transaction')),
  },
]
