import { type EngineTraits, type Steps, wait } from '@keelson/core'
import { WriteConflictError } from '../errors.ts'
import type { HostSession } from '../host/host.ts'
import type { ExpectedVersion } from './append-options.ts'
import { placeholders } from './placeholders.ts'
import type { TableName } from './table-name.ts'

/**
 * The row of a stream, locked until the transaction ends, so that its version can be read and decided on. Locking is
 * writing: SQLite's transaction may have begun as a reader, and one that reads before it writes fails when another has
 * written meanwhile, whatever the busy timeout.
 */
export class StreamRow {
  readonly #session: HostSession
  readonly #traits: EngineTraits
  readonly #table: TableName
  readonly #stream: string

  constructor(session: HostSession, traits: EngineTraits, table: TableName, stream: string) {
    this.#session = session
    this.#traits = traits
    this.#table = table
    this.#stream = stream
  }

  /**
   * @param expected makes the row only where there may be no stream yet, so that a conflict leaves none behind
   * @returns the stream's version, 0 for none
   */
  *lock(expected: ExpectedVersion): Steps<number> {
    const mayBeNew = expected === 'any' || expected === 'noStream' || expected === 0
    const { full, row } = this.#table
    const parameter = this.#traits.placeholder === '?' ? '?' : '$1'
    const { supportsReturning } = this.#traits
    const create = `insert into ${full} (stream, version) values (${parameter}, 0)`
    if (!supportsReturning) {
      if (mayBeNew) {
        const sql = `${create} on duplicate key update version = version`
        yield* wait(this.#session.run(sql, [this.#stream]))
      }
      return yield* this.#version(
        `select cast(version as char) as version from ${full} where stream = ${parameter} for update`,
      )
    }
    const returning = 'returning cast(version as text) as version'
    return yield* this.#version(
      mayBeNew
        ? `${create} on conflict (stream) do update set version = ${row}.version ${returning}`
        : `update ${full} set version = version where stream = ${parameter} ${returning}`,
    )
  }

  /** Moves the version on, on the condition that it is what it was: should the lock not have held, nothing is written. */
  *advance(from: number, by: number): Steps<void> {
    const next = placeholders(this.#traits)
    const { supportsReturning } = this.#traits
    const sql =
      `update ${this.#table.full} set version = ${next()} where stream = ${next()} and version = ${next()}` +
      (supportsReturning ? ' returning version' : '')
    const parameters = [from + by, this.#stream, from]
    const updated = supportsReturning
      ? (yield* wait(this.#session.query(sql, parameters))).length
      : yield* wait(this.#session.run(sql, parameters))
    if (updated === 0)
      throw new WriteConflictError(
        `The stream ${JSON.stringify(this.#stream)} moved on while its row was locked, which something else than ` +
          'appendEvents() must have done, such as a trigger. Nothing was written.',
      )
  }

  *#version(sql: string): Steps<number> {
    const rows = yield* wait(this.#session.query(sql, [this.#stream]))
    return Number(rows[0]?.['version'] ?? 0)
  }
}
