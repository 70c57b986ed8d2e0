import { setTimeout as sleep } from 'node:timers/promises'
import { appendEvents, EventConflictError, nextSequence } from '@keelson/bulk-insert/kysely'
import { describeError } from '@keelson/core'
import { transaction } from '@keelson/transactions/kysely'
import { type Kysely, sql } from 'kysely'
import { random } from './random.ts'

export interface WriterOptions {
  readonly writer: number
  readonly transactions: number
  readonly seed: number
  readonly isWrapped: boolean
}

export interface Written {
  /** `[stream, version, position, id]` of each event that was committed. */
  readonly events: readonly (readonly [string, number, number, string])[]
  readonly numbers: readonly number[]
  readonly rolledBack: number
  /** Conflicts over a version. */
  readonly conflicts: number
  /** Conflicts that the transaction was run again for. */
  readonly again: number
  readonly repeats: number
}

const undo = new Error('undo')
const streams = ['orders', 'stock', 'mail']

/**
 * Runs transactions that take an invoice's number, insert the invoice and append one to three events, and rolls 30 % of
 * them back. Half of the appends expect the version last seen, and on a conflict the actual one. Some are sent again.
 */
export async function write(
  db: Kysely<any>,
  { writer, transactions, seed, isWrapped }: WriterOptions,
): Promise<Written> {
  const next = random(seed + writer)
  const seen = new Map(streams.map((stream) => [stream, 0]))
  const events: [string, number, number, string][] = []
  const numbers: number[] = []
  const counts = { rolledBack: 0, conflicts: 0, again: 0, repeats: 0 }
  const inTransaction = <R>(fn: (tx: Kysely<any>) => Promise<R>): Promise<R> =>
    isWrapped ? transaction(db, () => fn(db)) : db.transaction().execute((tx) => fn(tx))

  for (let at = 0; at < transactions; at++) {
    const stream = streams[Math.floor(next() * streams.length)]!
    const appended = Array.from({ length: 1 + Math.floor(next() * 3) }, (_, n) => ({
      id: `${writer}-${at}-${n}`,
      type: 'noted',
      data: { writer, at, n },
    }))
    const isRolledBack = next() < 0.3
    const isRepeated = next() < 0.1
    const expects = next() < 0.5
    for (let failed = 1; ; failed++) {
      const expectedVersion = expects ? seen.get(stream)! : 'any'
      const options = { expectedVersion, order: 'global' } as const
      try {
        await inTransaction(async (tx) => {
          const number = await nextSequence(tx, 'invoice')
          await sql`insert into invoice (number) values (${sql.lit(number)})`.execute(tx)
          const result = await appendEvents(tx, stream, appended, options)
          if (result.isRepeat)
            throw new Error(`${stream} says that it has events of ${writer}-${at}`)
          if (isRolledBack) throw undo
          return { number, result }
        }).then(({ number, result }) => {
          numbers.push(number)
          for (const { id, version, position } of result.events)
            events.push([stream, version, position!, id])
          seen.set(stream, result.version)
        })
        break
      } catch (error) {
        if (error === undo) {
          counts.rolledBack++
          break
        }
        if (error instanceof EventConflictError) {
          if (error.actualVersion <= (expectedVersion as number))
            throw new Error(`The actual version went back: ${error.message}`)
          counts.conflicts++
          seen.set(stream, error.actualVersion)
        } else if (describeError(error).retryable) {
          counts.again++
          await sleep(next() * Math.min(50, 2 ** failed))
        } else throw error
      }
    }
    if (isRepeated && !isRolledBack) {
      const places = events.slice(-appended.length)
      const again = await appendEvents(db, stream, appended, {
        expectedVersion: 'noStream',
        order: 'global',
      })
      const found = again.events.map(({ id, version, position }) => [stream, version, position, id])
      if (!again.isRepeat || JSON.stringify(found) !== JSON.stringify(places))
        throw new Error(`Sent again, ${writer}-${at} is ${JSON.stringify(found)}`)
      counts.repeats++
    }
  }
  return { events, numbers, ...counts }
}
