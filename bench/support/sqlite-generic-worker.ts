// The thread of kysely-generic-sqlite, as its README writes it, with the cursor of a stream in addition.
import { createNodeOnMessageCallback } from 'kysely-generic-sqlite/worker-helper-node'
import { tuned } from './people.ts'

export interface GenericWorkerData extends Record<string, unknown> {
  readonly file: string
  readonly synchronous: 'normal' | 'full'
}

createNodeOnMessageCallback<GenericWorkerData>(({ file, synchronous }) => {
  const db = tuned(file, synchronous)
  return {
    db,
    query(_isSelect, sql, parameters) {
      const statement = db.prepare(sql)
      if (statement.reader) return { rows: statement.all(parameters) }
      const { changes, lastInsertRowid } = statement.run(parameters)
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
    },
    iterator: (_isSelect, sql, parameters) => db.prepare(sql).iterate(parameters),
    close: () => db.close(),
  }
})
