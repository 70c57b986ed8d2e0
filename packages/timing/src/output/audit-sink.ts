import type { QueryEvent, QueryFingerprint, TransactionEvent } from '@keelson/core'
import { writeIn } from '../fingerprint/write-in.ts'
import type { Sink } from '../sink.ts'

/** One statement that has changed, or tried to change, what is stored. */
export interface AuditEntry {
  /** Wall-clock time at which the statement was sent, ISO 8601. */
  readonly at: string
  /** Name of the database. */
  readonly database: string
  /** Id of the root transaction; `undefined` for a statement of its own. */
  readonly transaction: number | undefined
  /** `actor` of the scope around it. */
  readonly actor: string | undefined
  /** Name of the scope around it. */
  readonly scope: string | undefined
  /** `INSERT`, `UPDATE`, `DELETE`, `CREATE`, ... */
  readonly operation: string
  readonly tables: readonly string[]
  /** Rows that the engine says were changed; `undefined` where it does not say. */
  readonly affectedRows: number | undefined
  /** The statement without its values. */
  readonly statement: string
  /** `false` for a statement that failed, and for one whose transaction, or savepoint, was rolled back or lost. */
  readonly isKept: boolean
}

/** Statements of which it is known whether they write. */
const mostKnown = 2_000

type Pending = Omit<AuditEntry, 'isKept'> & { isKept: boolean }

/**
 * Tells of every write, with the transaction it was in and on whose behalf it was made. What is written inside a transaction
 * is told when that has ended, with whether it was kept. Each write of a batch has its own entry, and they are told together.
 * Rows in bulk have one for each call that sends them, with how many there were.
 *
 * Where entries are stored is yours: `store` may write to a file, a queue, or to another database (in the same one it would
 * tell of itself, without end). Nothing waits for it; when it fails, that is counted as a failure of the sink.
 *
 * @param store is called with the entries of one transaction, in the order in which they were sent
 * @example
 * createTiming({ sinks: [auditSink((entries) => log.write(entries))] })
 * timing.scope('PATCH /account', { actor: user.id }, handler)
 */
export function auditSink(store: (entries: readonly AuditEntry[]) => unknown): Sink {
  /** By transaction or savepoint: what was written in it, while it is open. */
  const open = new Map<number, Pending[]>()
  const order = new WeakMap<Pending, number>()
  let sent = 0
  const known = new Map<string, string | undefined>()
  const writeOf = ({ id, text }: QueryFingerprint): string | undefined => {
    if (known.has(id)) return known.get(id)
    const write = writeIn(text)
    if (known.size >= mostKnown) known.clear()
    known.set(id, write)
    return write
  }
  return {
    query(event) {
      if (event.batch !== undefined) {
        const entries = event.batch.flatMap((statement) => {
          const write = writeOf(statement.fp)
          return write === undefined ? [] : [entryOf({ ...event, ...statement }, write)]
        })
        return entries.length === 0
          ? undefined
          : store(entries.map((entry) => Object.freeze(entry)))
      }
      const operation = writeOf(event.fp!)
      if (operation === undefined) return undefined
      const entry = entryOf(event, operation)
      if (event.tx === undefined) return store([Object.freeze(entry)])
      order.set(entry, sent++)
      const entries = open.get(event.tx.id)
      if (entries === undefined) open.set(event.tx.id, [entry])
      else entries.push(entry)
      return undefined
    },
    transaction({ id, parentId, outcome }: TransactionEvent) {
      const entries = open.get(id)
      if (entries === undefined) return undefined
      open.delete(id)
      if (outcome !== 'committed') for (const entry of entries) entry.isKept = false
      if (parentId === undefined)
        return store(
          entries
            .toSorted((one, other) => order.get(one)! - order.get(other)!)
            .map((entry) => Object.freeze({ ...entry, transaction: id })),
        )
      open.set(parentId, [...(open.get(parentId) ?? []), ...entries])
      return undefined
    },
  }
}

function entryOf(
  { fp, startMs, db, tx, scope, affectedRows, outcome }: QueryEvent,
  operation: string,
): Pending {
  return {
    at: new Date(performance.timeOrigin + startMs).toISOString(),
    database: db,
    transaction: tx?.id,
    actor: scope?.tags?.['actor'],
    scope: scope?.name,
    operation,
    tables: fp!.tables,
    affectedRows,
    statement: fp!.text,
    isKept: outcome === 'ok',
  }
}
