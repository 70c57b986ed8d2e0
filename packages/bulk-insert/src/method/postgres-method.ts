/** Over 300 lines, being one subject: what is sent to PostgreSQL, by COPY or INSERT, and what comes of it. */
import { describeError, quoteIdentifier, type Steps, wait } from '@keelson/core'
import { RowError } from '../errors.ts'
import type { Copier, HostSession } from '../host/host.ts'
import { qualifiedName } from '../host/qualified-name.ts'
import type { CompiledInsert } from '../host/target.ts'
import type { Columns, Run } from '../shape/run.ts'
import { type MethodContext, Statements, updates } from './context.ts'
import { type Attempt, type Failure, type Method, nothing, type Outcome } from './method.ts'
import { arrayText, copyValue, type DateText, valueText } from './postgres-text.ts'
import { groupsOf, ordinalName, rankedSource, sameKeysQuery } from './ranked-source.ts'

const insertedName = 'keelson_inserted'

/** COPY cannot, and INSERT can: row-level security, rules. */
const notSupported = '0A000'

/**
 * COPY, where `pg` is the client, nothing is to be returned and no row may be there already. Else one parameter for each
 * column, however many rows: the text of an array, which `unnest` takes apart and a cast gives the column's type. A new row
 * has `xmax = 0`, an updated one has not.
 */
export class PostgresMethod implements Method {
  readonly countsTable: boolean = false
  readonly #context: MethodContext
  readonly #dates: DateText
  readonly #statements: Statements
  readonly #splits: boolean
  #copies: boolean
  #name: 'copy' | 'unnest' = 'unnest'

  constructor(context: MethodContext, dates: DateText) {
    const { conflict, returning, table } = context
    this.#context = context
    this.#dates = dates
    this.#statements = new Statements(context.target)
    // The system columns of a partitioned or foreign table, or of a view, cannot be read as the rows go in.
    this.#splits = updates(conflict) && !table.isPartitioned && !table.isView
    this.#copies = conflict === undefined && returning === undefined && !table.isView
  }

  get name(): 'copy' | 'unnest' {
    return this.#name
  }

  isBeside(): boolean {
    return true
  }

  *insert(
    session: HostSession,
    run: Run,
    from: number,
    to: number,
    before?: Promise<unknown>,
  ): Steps<Attempt> {
    const copier = this.#copies ? yield* wait(session.copier?.()) : undefined
    const copies = copier !== undefined
    let send: (inner: HostSession) => Steps<Outcome>
    try {
      send =
        copier === undefined
          ? this.#inserting(run, from, to)
          : this.#copying(copier, run, from, to, before !== undefined)
    } catch (error) {
      if (before !== undefined) yield* wait(before)
      return this.#failed(error, to - from, false)
    }
    if (before !== undefined) yield* wait(before)
    try {
      // A failed statement would leave nothing of the transaction around it.
      const outcome = yield* session.savepoint(send)
      this.#name = copies ? 'copy' : 'unnest'
      return { outcome, done: to - from, failure: undefined }
    } catch (error) {
      if (copies && describeError(error).code === notSupported) {
        this.#copies = false
        return yield* this.insert(session, run, from, to)
      }
      return this.#failed(error, to - from, copies)
    }
  }

  /** In one statement they would be `ON CONFLICT DO UPDATE command cannot affect row a second time`. */
  *sameKeys(session: HostSession, keys: Columns): Steps<readonly (readonly number[])[]> {
    const { conflict, key } = this.#context
    // Which rows a partial index has, the engine alone can tell.
    if (!updates(conflict) || key === undefined || conflict!.targetWhere !== undefined) return []
    const run = { keys: key, names: key, columns: keys }
    let arrays: string[]
    try {
      arrays = key.map((_, column) => this.#array(run, column, 0, keys[0]!.length))
    } catch (error) {
      throw error instanceof ValueError ? error.error : error
    }
    const sql = sameKeysQuery('postgresql', `(${this.#typedSource(key)}) as keelson_typed`, key)
    let parameters = 0
    const text = sql.replaceAll(parameterMark, () => `$${++parameters}`)
    const rows = yield* session.savepoint((inner) => wait(inner.query(text, arrays)))
    return groupsOf(rows).map((group) => group.map((ordinal) => ordinal - 1))
  }

  /** @param ahead whether all of what is to be sent is made now */
  #copying(copy: Copier, run: Run, from: number, to: number, ahead: boolean): () => Steps<Outcome> {
    const into = qualifiedName(this.#context.target, 'postgresql')
    const names = run.names.map((name) => quoteIdentifier(name, 'postgresql'))
    const sql = `copy ${into} (${names.join(', ')}) from stdin`
    const lines = ahead ? [...this.#lines(run, from, to)] : undefined
    const send = function* (data: Iterable<Uint8Array>): Steps<Outcome> {
      const changes = yield* wait(copy(sql, data, to - from))
      return { changes, inserted: changes, returned: [] }
    }
    // A savepoint is on the same client.
    return () => send(lines ?? this.#lines(run, from, to))
  }

  #inserting(run: Run, from: number, to: number): (inner: HostSession) => Steps<Outcome> {
    const { sql, tail } = this.#statement(run)
    const columns = run.names.map((_, column) => this.#array(run, column, from, to))
    return (inner) => this.#send(inner, sql, [...columns, ...tail], to - from)
  }

  #failed(error: unknown, size: number, hasCopied: boolean): Attempt {
    return error instanceof ValueError
      ? failed(error.error, size, error.position)
      : failed(error, size, hasCopied ? lineOf(error) : undefined)
  }

  /** What COPY reads, in parts. */
  *#lines(run: Run, from: number, to: number): Generator<Uint8Array> {
    const { columns, names } = run
    const isJson = this.#isJson(run)
    for (let start = from; start < to; start += rowsPerPart) {
      const end = Math.min(start + rowsPerPart, to)
      let lines = ''
      for (let row = start; row < end; row++) {
        for (let column = 0; column < names.length; column++) {
          const text = this.#text(run, columns[column]![row], column, row - from, isJson[column]!)
          lines += (column === 0 ? '' : '\t') + copyValue(text)
        }
        lines += '\n'
      }
      yield Buffer.from(lines)
    }
  }

  /** The values of a column as the text of an array. */
  #array(run: Sent, column: number, from: number, to: number): string {
    const isJson = this.#isJson(run)[column]!
    const texts: (string | null)[] = []
    for (let row = from; row < to; row++)
      texts.push(this.#text(run, run.columns[column]![row], column, row - from, isJson))
    return arrayText(texts)
  }

  #isJson({ names }: Sent): readonly boolean[] {
    const { columns } = this.#context.table
    return names.map((name) => jsonTypes.has(columns.get(name)!.type))
  }

  #text(
    { keys }: Sent,
    value: unknown,
    column: number,
    position: number,
    isJson: boolean,
  ): string | null {
    try {
      return valueText(value, isJson, this.#dates)
    } catch (error) {
      throw new ValueError(
        position,
        new RowError(
          'VALUE',
          `has a value for ${JSON.stringify(keys[column])} that cannot be sent: ${(error as Error).message}`,
          keys[column],
          { cause: error },
        ),
      )
    }
  }

  *#send(
    session: HostSession,
    sql: string,
    parameters: readonly unknown[],
    rowCount: number,
  ): Steps<Outcome> {
    const { returning } = this.#context
    if (returning !== undefined) {
      const rows = yield* wait(session.query(sql, parameters, rowCount))
      const inserted = this.#splits
        ? rows.filter((row) => row[insertedName] === true).length
        : this.#unsplit(rows.length)
      const returned = rows.map(withoutMark)
      return { changes: rows.length, inserted, returned }
    }
    if (this.#splits) {
      const [counts] = yield* wait(session.query(sql, parameters, rowCount))
      const { changes, inserted } = counts as { changes: unknown; inserted: unknown }
      return { changes: Number(changes), inserted: Number(inserted), returned: [] }
    }
    const changes = yield* wait(session.run(sql, parameters, rowCount))
    return { changes, inserted: this.#unsplit(changes), returned: [] }
  }

  #unsplit(changes: number | undefined): number | undefined {
    return updates(this.#context.conflict) ? undefined : changes
  }

  #statement(run: Run): CompiledInsert {
    const { conflict, returning } = this.#context
    const compiled = this.#statements.get(0, {
      keys: run.keys,
      given: run.given,
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
    // As it stands in the table the key decides, so that it is compared after the cast.
    const { duplicates, conflict, key = [] } = this.#context
    // Of a key that is left to its default nothing is known before the row is in.
    const isDecided =
      updates(conflict) && duplicates !== 'error' && key.every((name) => names.includes(name))
    const query = isDecided
      ? rankedSource(
          'postgresql',
          `(${this.#typedSource(names)}) as keelson_typed`,
          names,
          key,
          duplicates,
        )
      : this.#typedSource(names, false)
    return query.split(parameterMark)
  }

  #typedSource(names: readonly string[], isNumbered = true): string {
    const { columns } = this.#context.table
    const typed = names.map(
      (name, at) => `c${at}::${columns.get(name)!.type} as ${quoteIdentifier(name, 'postgresql')}`,
    )
    const unnested = names.map((_, at) => `c${at}`).join(', ')
    const arrays = names.map(() => `${parameterMark}::text::text[]`).join(', ')
    const list = isNumbered ? [...typed, ordinalName] : typed
    return `select ${list.join(', ')} from unnest(${arrays}) with ordinality as keelson_rows(${unnested}, ${ordinalName})`
  }
}

/** Stands for a parameter in a text that is cut there. */
const parameterMark = '\u0000'

/** Some columns of rows. */
type Sent = Pick<Run, 'keys' | 'names'> & { readonly columns: Columns }

/** Rows that are sent to COPY at once. */
const rowsPerPart = 500

const jsonTypes: ReadonlySet<string> = new Set(['pg_catalog.json', 'pg_catalog.jsonb'])

/** The row that COPY was at, which PostgreSQL says beside the error: `COPY flight, line 3, column id: "x"`. */
function lineOf(error: unknown): number | undefined {
  const { where } = error as { readonly where?: unknown }
  const line = typeof where === 'string' ? /COPY .*, line (\d+)/.exec(where)?.[1] : undefined
  return line === undefined ? undefined : Number(line) - 1
}

function withoutMark(row: Record<string, unknown>): Record<string, unknown> {
  const { [insertedName]: mark, ...rest } = row
  return mark === undefined ? row : rest
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
