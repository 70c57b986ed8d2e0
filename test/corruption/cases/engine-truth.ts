/** Transactions that the engine has ended, or doomed, while the program believes that all is well. */
import type { CorruptionCase } from '../case.ts'
import type { EngineKind } from '../engines/place.ts'
import { failed, gotOwnError, has, ok, OwnError } from '../observation.ts'

const duplicateThatRollsBack = `insert or rollback into t (v) values ('before')`
const deferredReference =
  'create table child (parent integer references t (id) deferrable initially deferred)'
const brokenReference = 'insert into child values (99)'

export const engineTruth: readonly CorruptionCase[] = [
  swallowedError('PostgreSQL'),
  swallowedError('DuckDB'),
  {
    id: 'engine-rolls-back-by-itself',
    title: 'When SQLite has rolled back by itself, nothing more of the transaction is written',
    engine: 'SQLite',
    asked:
      'Inside a transaction, an `insert or rollback` meets a duplicate, and SQLite rolls the transaction back. The ' +
      'program catches the error, inserts two more rows, and then fails with an error of its own.',
    right: "No row, `[]`, and the caller gets the transaction's own error.",
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('before')
          await told.of('the duplicate', handle.execute(duplicateThatRollsBack))
          await told.of('the next insert', handle.insert('after 1'))
          await handle.insert('after 2').catch(() => {})
          throw new OwnError()
        }),
      )
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      told.ofSync('the transaction', () =>
        store.transaction((handle) => {
          handle.insert('before')
          told.ofSync('the duplicate', () => handle.execute(duplicateThatRollsBack))
          told.ofSync('the next insert', () => handle.insert('after'))
          throw new OwnError()
        }),
      )
    },
    isRight: (seen) => has(seen) && gotOwnError(seen, 'the transaction'),
  },
  {
    id: 'disk-full',
    title: 'A full disk in the middle of a transaction leaves all of it or nothing',
    engine: 'SQLite',
    asked:
      'Inside a transaction the file reaches its largest size (`max_page_count`). The program catches the error of the ' +
      'large row, as for an optional attachment, goes on with small ones, and returns.',
    right:
      'All small rows and a transaction that is told ok, or none and an error. Never the last ones without the first.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.execute('pragma max_page_count = 40')
          await handle.insert('first')
          await told.of('the large row', handle.insert('x'.repeat(400_000)))
          await told.of('the next insert', handle.insert('next'))
          await handle.insert('last').catch(() => {})
        }),
      )
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      told.ofSync('the transaction', () =>
        store.transaction((handle) => {
          handle.execute('pragma max_page_count = 40')
          handle.insert('first')
          told.ofSync('the large row', () => handle.insert('x'.repeat(400_000)))
          told.ofSync('the next insert', () => handle.insert('next'))
          handle.insert('last')
        }),
      )
    },
    isRight: (seen) =>
      (has(seen, 'first', 'next', 'last') && ok(seen, 'the transaction')) ||
      (has(seen) && failed(seen, 'the transaction')),
  },
  {
    id: 'commit-fails',
    title: 'After a commit that failed, what follows is written as if nothing had happened',
    engine: 'SQLite',
    schema: [deferredReference],
    threads: ['knex/knex#6141'],
    asked:
      'A transaction breaks a deferred foreign key, so its COMMIT fails. Then another transaction inserts a row, then a ' +
      'plain insert another. Then the application ends.',
    right:
      'The first transaction is told its error; the two others are told ok and their rows are there.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('refused')
          await handle.execute(brokenReference)
        }),
      )
      await told.of('the next transaction', () =>
        store.transaction((handle) => handle.insert('next')),
      )
      await told.of('the plain insert', store.insert('plain'))
    },
    async runSync({ openSync, told }) {
      const store = openSync()
      told.ofSync('the transaction', () =>
        store.transaction((handle) => {
          handle.insert('refused')
          handle.execute(brokenReference)
        }),
      )
      told.ofSync('the next transaction', () =>
        store.transaction((handle) => handle.insert('next')),
      )
      told.ofSync('the plain insert', () => store.insert('plain'))
    },
    isRight: (seen) =>
      has(seen, 'next', 'plain') &&
      failed(seen, 'the transaction') &&
      ok(seen, 'the next transaction', 'the plain insert'),
  },
  {
    id: 'controlled-commit-fails',
    title: 'A controlled transaction whose commit failed is over',
    engine: 'SQLite',
    needs: ['controlled'],
    schema: [deferredReference],
    asked:
      'The same with a transaction that is ended by `trx.commit()`. The program reports the error and, since a commit ' +
      'was its last word, does not call `rollback()`.',
    right:
      'The commit is told its error; the next insert is told ok and its row is there: `[next]`.',
    async run({ open, told }) {
      const store = await open()
      const trx = await store.begin!()
      await trx.insert('refused')
      await trx.execute(brokenReference)
      await told.of('the commit', () => trx.commit())
      await told.of('the next insert', store.insert('next'))
    },
    isRight: (seen) =>
      has(seen, 'next') && failed(seen, 'the commit') && ok(seen, 'the next insert'),
  },
]

function swallowedError(engine: EngineKind): CorruptionCase {
  return {
    id: `swallowed-error-${engine.toLowerCase()}`,
    title: `A transaction that ${engine} did not commit is not reported as done`,
    engine,
    byHand: true,
    asked:
      'A transaction inserts a row, then the same one again; the program catches the error of the duplicate and returns. ' +
      `${engine} has given the transaction up by then, and makes a rollback of its COMMIT.`,
    right: 'An error, since nothing was kept: `[]`.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction(async (handle) => {
          await handle.insert('row')
          await handle.insert('row').catch(() => {})
        }),
      )
    },
    isRight: (seen) => has(seen) && failed(seen, 'the transaction'),
  }
}
