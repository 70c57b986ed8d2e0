/** What DuckDB does that PostgreSQL and SQLite do not. */
import type { CorruptionCase } from '../case.ts'
import { failed, has, ok, OwnError } from '../observation.ts'

const numbers = Array.from({ length: 200 }, (_, n) => String(n))

export const duckdb: readonly CorruptionCase[] = [
  {
    id: 'nested-on-duckdb',
    title: 'A nested transaction that fails does no harm to the one around it (DuckDB)',
    engine: 'DuckDB',
    needs: ['nested'],
    byHand: true,
    asked:
      'A transaction inserts a row, opens a nested one, which inserts a row and fails, catches the error, and inserts ' +
      'another row. DuckDB has no savepoints.',
    right:
      'The nested one fails, with its own error or because the library refuses it; the transaction works: ' +
      '`[before, after]`.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.nesting(async (outer) => {
          await outer.insert('before')
          await told.of(
            'the nested one',
            outer.nested(async (inner) => {
              await inner.insert('inner')
              throw new OwnError()
            }),
          )
          await outer.insert('after')
        }),
      )
    },
    isRight: (seen) =>
      has(seen, 'before', 'after') && failed(seen, 'the nested one') && ok(seen, 'the transaction'),
  },
  {
    id: 'order-on-duckdb',
    title: 'Statements run in the order in which they were asked for (DuckDB)',
    engine: 'DuckDB',
    byHand: true,
    asked: 'A transaction starts 200 inserts at once, and awaits them all.',
    right: 'The rows stand in the order of their inserts.',
    async run({ open, told }) {
      const store = await open()
      await told.of(
        'the transaction',
        store.transaction((handle) => Promise.all(numbers.map((n) => handle.insert(n)))),
      )
    },
    isRight: (seen) => has(seen, ...numbers) && ok(seen, 'the transaction'),
  },
  {
    id: 'file-opened-twice',
    title: 'A DuckDB file that is opened twice in a process loses nothing',
    engine: 'DuckDB',
    byHand: true,
    threads: ['duckdb/duckdb#24739'],
    asked:
      'Two parts of a program open the same file. The first inserts 500 rows and writes a checkpoint; the second inserts a ' +
      'row. Both are closed.',
    right: 'All 501 rows are there.',
    async run({ open, told }) {
      const first = await open()
      const second = await told.get('the second opening', open)
      await told.of('the first part', async () => {
        await first.execute(
          'insert into t (v) select cast(i as varchar) from range(500) as numbers(i)',
        )
        await first.execute('checkpoint')
      })
      await first.close()
      await told.of('the second part', async () => {
        await second?.insert('second')
        await second?.execute('checkpoint')
      })
      await second?.close()
    },
    isRight: (seen) => seen.rows.length === (ok(seen, 'the second opening') ? 501 : 500),
  },
  {
    id: 'write-skew-on-duckdb',
    title: 'Transactions that were asked for as serializable are, or are refused (DuckDB)',
    engine: 'DuckDB',
    needs: ['isolationLevel'],
    asked:
      'Two rows say who is on call, and one has to stay. Two serializable transactions at once read both rows; each sees ' +
      'two, and deletes another one. DuckDB has snapshot isolation only.',
    right: 'Somebody is on call in the end, or the transactions were refused.',
    schema: ["insert into t values ('Ada')", "insert into t values ('Grace')"],
    async run({ open, told }) {
      const store = await open()
      let bothRead: () => void
      const bothHaveRead = new Promise<void>((resolve) => (bothRead = resolve))
      let reading = 2
      const leave = (name: string) =>
        told.of(
          name,
          store.transaction(
            async (handle) => {
              const rows = await handle.execute('select v from t')
              if (--reading === 0) bothRead()
              await bothHaveRead
              if (rows.length > 1) await handle.execute(`delete from t where v = '${name}'`)
            },
            { isolationLevel: 'serializable' },
          ),
        )
      await Promise.all([leave('Ada'), leave('Grace')])
    },
    isRight: (seen) => seen.rows.length > 0,
  },
]
