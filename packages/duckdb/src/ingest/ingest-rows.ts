import { type DuckDBType, StatementType } from '@duckdb/node-api'
import {
  type BulkIngestRequest,
  type BulkIngestResult,
  invalidOption,
  OptionError,
  quoteIdentifier,
} from '@keelson/core'
import type { Connection } from '../connection/connection.ts'
import type { Interruption } from '../connection/interruption.ts'
import { refuseControl } from '../connection/statement-rules.ts'
import { Statement } from '../connection/statement.ts'
import type { ValuePolicies } from '../contract.ts'
import { readResult } from '../result/read-result.ts'
import { type OwnIngestRequest, rowCountOf } from './check-ingest.ts'
import { convertRows } from './convert-rows.ts'
import type { IngestColumn, IngestSource } from './ingest-source.ts'
import type { KnownIngests } from './known-ingests.ts'
import { fillStaging } from './staging.ts'
import { offerRows, takesOffers } from './table-function.ts'

export interface IngestContext {
  readonly method: 'auto' | 'table-function' | 'staging'
  readonly policies: ValuePolicies
  readonly interruption: Interruption
  /** What the open transaction knows already; undefined where none is open. */
  readonly known: KnownIngests | undefined
  /** The rows, where they were converted before it was this one's turn. */
  readonly source: IngestSource | undefined
}

/**
 * Hands rows to DuckDB and runs the statement that takes them in, on a connection that is the caller's own.
 *
 * @throws {ParameterError} for a value that its column cannot hold, with `index`, the row's position, and `column`;
 *   nothing was sent
 * @throws {OptionError} where the client has no table functions and `ingest` says to use them
 */
export async function ingestRows(
  connection: Connection,
  request: OwnIngestRequest,
  context: IngestContext,
): Promise<BulkIngestResult> {
  const { interruption } = context
  const method = methodOf(connection, context.method)
  const source = context.source ?? (await sourceOf(connection, request, context))
  const offered =
    method === 'table-function'
      ? offerRows(source)
      : await fillStaging(connection, source, interruption)
  try {
    const result = await run(connection, request, offered.name, context)
    return { ...result, method }
  } finally {
    await offered.withdraw()
  }
}

/**
 * Converts rows before it is their turn, where the types of their columns are known.
 *
 * @throws {ParameterError} for a value that its column cannot hold
 */
export async function convertBeside(
  connection: Connection,
  request: OwnIngestRequest,
  known: KnownIngests,
): Promise<IngestSource | undefined> {
  const columns = known.columns(columnsQuery(request), connection.definitionsVersion)
  if (columns === undefined) return undefined
  const values = await convertRows(columns, request, request.signal, true)
  return { columns, values, rowCount: rowCountOf(request) }
}

async function sourceOf(
  connection: Connection,
  request: OwnIngestRequest,
  context: IngestContext,
): Promise<IngestSource> {
  const columns = await columnsOf(connection, request, context)
  const values = await convertRows(columns, request, context.interruption)
  return { columns, values, rowCount: rowCountOf(request) }
}

async function run(
  connection: Connection,
  request: OwnIngestRequest,
  source: string,
  { policies, interruption, known }: IngestContext,
): Promise<Omit<BulkIngestResult, 'method'>> {
  const sql = request.statement(source)
  const text = request.statement(anySource)
  const statement =
    known?.statement(text)?.withText(sql) ??
    (await connection.call(() => Statement.prepare(connection.raw, sql), interruption))
  try {
    checkStatement(statement)
    statement.bind(request.parameters ?? [])
    const result = await connection.call(() => statement.run(connection.raw), interruption)
    const read = await readResult(statement, result, { policies, rows: 'objects', interruption })
    if (!statement.takesParameters) known?.addStatement(text, statement)
    return { rows: read.rows, changes: read.changes ?? 0 }
  } finally {
    statement.destroy()
  }
}

/** Stands for what the rows come from in a statement that is recognized. */
const anySource = 'keelson_rows'

const takers: ReadonlySet<StatementType> = new Set([
  StatementType.INSERT,
  StatementType.UPDATE,
  StatementType.DELETE,
  StatementType.MERGE_INTO,
  StatementType.SELECT,
])

/** Refuses what would begin or end a transaction, change the connection, or what statements mean that are prepared. */
function checkStatement(statement: Statement): void {
  refuseControl(statement)
  if (takers.has(statement.type)) return
  invalidOption(
    'ingest()',
    'statement',
    statement.sql,
    'one that makes an INSERT, UPDATE, DELETE, MERGE or SELECT',
  )
}

/** A query that has the columns of the rows. */
function columnsQuery({ table, schema, columns, ordinal }: BulkIngestRequest): string {
  const quoted = (name: string): string => quoteIdentifier(name, 'duckdb')
  const target = schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`
  // A number of its own gives the ordinal the type that row numbers have.
  const list = columns.map(quoted).concat(ordinal === undefined ? [] : '0::bigint')
  return `select ${list.join(', ')} from ${target}`
}

async function columnsOf(
  connection: Connection,
  request: OwnIngestRequest,
  { interruption, known }: IngestContext,
): Promise<readonly IngestColumn[]> {
  const { columns, ordinal } = request
  const sql = columnsQuery(request)
  const version = connection.definitionsVersion
  const found = known?.columns(sql, version)
  if (found !== undefined) return found
  const prepared = await connection.call(() => connection.raw.prepare(sql), interruption)
  try {
    const read = [...columns, ...(ordinal === undefined ? [] : [ordinal])].map((name, index) => ({
      name,
      type: prepared.columnType(index) as DuckDBType,
    }))
    known?.addColumns(sql, version, read)
    return read
  } finally {
    prepared.destroySync()
  }
}

function methodOf(
  connection: Connection,
  wanted: IngestContext['method'],
): BulkIngestResult['method'] {
  if (takesOffers(connection)) return wanted === 'auto' ? 'table-function' : wanted
  if (wanted !== 'table-function') return 'staging'
  throw new OptionError(
    'INVALID_OPTION',
    'ingest',
    "ingest() cannot go by `ingest: 'table-function'`: the installed @duckdb/node-api has no table functions. Install " +
      '1.5.5-r.4 or later, or leave the option out, which has the rows go through a temporary table.',
  )
}
