import { describeError, quoteIdentifier } from '@keelson/core'
import { RowError } from '../errors.ts'
import type { HostSession } from '../host/host.ts'
import type { CompiledInsert } from '../host/target.ts'
import type { Run } from '../shape/row-shaper.ts'
import { type Steps, wait } from '../steps.ts'
import { type MethodContext, Statements, updates } from './context.ts'
import { duplicatesAmong } from './duplicates-among.ts'
import { type Attempt, type Failure, type Method, nothing, type Outcome } from './method.ts'
import { arrayText, type DateText, valueText } from './postgres-text.ts'
import { ordinalName, rankedSource } from './ranked-source.ts'

const insertedName = 'keelson_inserted'

/**
 * One parameter for each column, however many rows: the text of an array, which `unnest` takes apart and a cast gives the
 * column's type. A new row has `xmax = 0`, an updated one has not.
 */
export class PostgresMethod implements Method {
  readonly name = 'unnest'
  readonly batchRows = 5_000
  readonly countsTable = false
  readonly #context: MethodContext
  readonly #dates: DateText
  readonly #statements: Statements
  readonly #splits: boolean

  constructor(context: MethodContext, dates: DateText) {
    this.#context = context
    this.#dates = dates
    this.#statements = new Statements(context.target)
    // The system columns of a partitioned or foreign table, or of a view, cannot be read as the rows go in.
    const { isPartitioned, isView } = context.table
    this.#splits = updates(context.conflict) && !isPartitioned && !isView
  }

  *insert(session: HostSession, run: Run, from: number, to: number): Steps<Attempt> {
    let parameters: unknown[]
    try {
      parameters = this.#columns(run, from, to)
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      return failed(error.error, to - from, error.position)
    }
    const { sql, tail } = this.#statement(run)
    try {
      // A failed statement would leave nothing of the transaction around it.
      const outcome = yield* session.savepoint((inner) =>
        this.#send(inner, sql, [...parameters, ...tail]),
      )
      return { outcome, done: to - from, failure: undefined }
    } catch (error) {
      return failed(error, to - from)
    }
  }

  /** `ON CONFLICT DO UPDATE command cannot affect row a second time`. */
  duplicatesIn(run: Run, from: number, to: number): readonly number[] {
    const { conflict } = this.#context
    // Which rows a partial index has, the engine alone can tell.
    if (conflict?.targetWhere !== undefined) return []
    return duplicatesAmong(run, from, to, conflict?.target)
  }

  *#send(session: HostSession, sql: string, parameters: readonly unknown[]): Steps<Outcome> {
    const { returning } = this.#context
    if (returning !== undefined) {
      const rows = yield* wait(session.query(sql, parameters))
      const inserted = this.#splits
        ? rows.filter((row) => row[insertedName] === true).length
        : this.#unsplit(rows.length)
      const returned = rows.map(({ [insertedName]: _inserted, ...row }) => row)
      return { changes: rows.length, inserted, returned }
    }
    if (this.#splits) {
      const [counts] = yield* wait(session.query(sql, parameters))
      const { changes, inserted } = counts as { changes: unknown; inserted: unknown }
      return { changes: Number(changes), inserted: Number(inserted), returned: [] }
    }
    const changes = yield* wait(session.run(sql, parameters))
    return { changes, inserted: this.#unsplit(changes), returned: [] }
  }

  #unsplit(changes: number | undefined): number | undefined {
    return updates(this.#context.conflict) ? undefined : changes
  }

  #statement(run: Run): CompiledInsert {
    const { conflict, returning } = this.#context
    const compiled = this.#statements.get(0, {
      keys: run.keys,
      source: { query: this.#source(run) },
      conflict,
      returning,
      ...(this.#splits && { returningExpression: `(xmax = 0) as ${insertedName}` }),
    })
    if (!this.#splits || returning !== undefined) return compiled
    return {
      tail: compiled.tail,
      sql:
        `with keelson_written as (${compiled.sql}) select count(*)::int as changes, ` +
        `(count(*) filter (where ${insertedName}))::int as inserted from keelson_written`,
    }
  }

  /** The text of the query, cut where a parameter stands. */
  #source({ names }: Run): readonly string[] {
    const { table, duplicates, conflict } = this.#context
    const quote = (name: string): string => quoteIdentifier(name, 'postgresql')
    const typed = names.map(
      (name, at) => `c${at}::${table.columns.get(name)!.type} as ${quote(name)}`,
    )
    const unnested = names.map((_, at) => `c${at}`).join(', ')
    const parameter = '\u0000'
    const arrays = names.map(() => `${parameter}::text::text[]`).join(', ')
    const from = `unnest(${arrays}) with ordinality as keelson_rows(${unnested}, ${ordinalName})`
    // As it stands in the table the key decides, so that it is compared after the cast.
    const key = conflict?.target?.map((each) => this.#nameOf(each)) ?? []
    // Of a key that is left to its default nothing is known before the row is in.
    const isDecided =
      updates(conflict) && duplicates !== 'error' && key.every((name) => names.includes(name))
    const query = isDecided
      ? rankedSource(
          'postgresql',
          `(select ${typed.join(', ')}, ${ordinalName} from ${from}) as keelson_typed`,
          names,
          key,
          duplicates,
        )
      : `select ${typed.join(', ')} from ${from}`
    return query.split(parameter)
  }

  #nameOf(key: string): string {
    return this.#context.target.columnNames([key])[0] ?? key
  }

  #columns(run: Run, from: number, to: number): unknown[] {
    const { columns } = this.#context.table
    return run.names.map((name, at) => {
      const { type } = columns.get(name)!
      const isJson = type === 'pg_catalog.json' || type === 'pg_catalog.jsonb'
      const texts: (string | null)[] = []
      for (let row = from; row < to; row++) {
        try {
          texts.push(valueText(run.values[row]![at], isJson, this.#dates))
        } catch (error) {
          throw new ValueError(
            row - from,
            new RowError('VALUE', (error as Error).message, run.keys[at], { cause: error }),
          )
        }
      }
      return arrayText(texts)
    })
  }
}

class ValueError extends Error {
  readonly position: number
  readonly error: RowError

  constructor(position: number, error: RowError) {
    super(error.message)
    this.position = position
    this.error = error
  }
}

function failed(error: unknown, size: number, position?: number): Attempt {
  const failure: Failure = { error, size, position }
  return { outcome: nothing, done: 0, failure }
}

/** Whether PostgreSQL complains of two rows with one key in a statement. */
export function isDuplicateComplaint(error: unknown): boolean {
  return describeError(error).code === '21000'
}
