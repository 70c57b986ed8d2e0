/** A transaction that goes on while a part of it is open. */
import { type CorruptionCase, sleep } from '../case.ts'
import { gotOwnError, has, ok, OwnError } from '../observation.ts'

export const parents: readonly CorruptionCase[] = [
  {
    id: 'parent-writes-beside-child',
    title: 'What a transaction writes beside an open part of it outlives the failure of that part',
    engine: 'SQLite',
    asked:
      'A nested transaction inserts a row, waits and fails; its error is caught. While it waits, another branch of the ' +
      'outer transaction inserts a row through the outer handle. The outer transaction commits.',
    right: 'The row of the outer transaction is kept: `[parent]`.',
    needs: ['nested'],
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.nesting(async (outer) => {
          const child = told.of(
            'the nested one',
            outer.nested(async (inner) => {
              await inner.insert('child')
              await sleep(100)
              throw new OwnError()
            }),
          )
          await sleep(20)
          await told.of('the insert', outer.insert('parent'))
          await child
        }),
      )
    },
    isRight: (seen) =>
      has(seen, 'parent') &&
      gotOwnError(seen, 'the nested one') &&
      ok(seen, 'the insert', 'the transaction'),
  },
  {
    id: 'child-through-the-outer-handle',
    title: 'A transaction opened through the outer handle inside a nested one nests',
    engine: 'SQLite',
    asked:
      'Inside a nested transaction, a function that only knows the outer handle opens a transaction through it, inserts ' +
      'a row and fails; its error is caught. The nested transaction inserts a row before and one after.',
    right: 'Only the innermost row is gone: `[before, after]`, and nobody waits for itself.',
    needs: ['nested'],
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.nesting((outer) =>
          outer.nested(async (inner) => {
            await inner.insert('before')
            await told.of(
              'the innermost one',
              outer.nested(async (innermost) => {
                await innermost.insert('innermost')
                throw new OwnError()
              }),
            )
            await inner.insert('after')
          }),
        ),
      )
    },
    isRight: (seen) =>
      has(seen, 'before', 'after') &&
      gotOwnError(seen, 'the innermost one') &&
      ok(seen, 'the transaction'),
  },
  {
    id: 'failed-parts-leave-no-savepoints',
    title: 'Parts that failed leave no savepoint behind',
    engine: 'PostgreSQL',
    asked:
      'One transaction, and in it a hundred nested ones, one after the other, which all fail and are caught.',
    right:
      'The server holds as many subtransactions at the end as it did before the first: none (`pg_backend_memory_contexts`).',
    needs: ['nested', 'releasedSavepoints'],
    async run({ open, told }) {
      const store = await open()
      let left = -1
      await told.of(
        'the transaction',
        store.nesting(async (outer) => {
          const depth = async (): Promise<number> => {
            const [row] = await outer.execute(
              "select count(*)::int as depth from pg_backend_memory_contexts where name = 'CurTransactionContext'",
            )
            return Number(row!['depth'])
          }
          const before = await depth()
          for (let part = 0; part < 100; part++) {
            const failing = outer.nested(async (inner) => {
              await inner.insert(`${part}`)
              throw new OwnError()
            })
            await failing.catch(() => {})
          }
          left = (await depth()) - before
        }),
      )
      return { 'savepoints left': left }
    },
    isRight: (seen) =>
      has(seen) && ok(seen, 'the transaction') && seen.measured['savepoints left'] === 0,
  },
]
