import type { Statement } from '../connection/statement.ts'
import type { IngestColumn } from './ingest-source.ts'

/** More of either are those of a caller who makes ever new ones. */
const most = 100

/**
 * What a transaction has found out about the rows it takes in and the statements that do so: asking again before each
 * batch costs as much as a thousand rows. Nobody else can change it before the transaction ends, and what the
 * transaction itself redefines has another version.
 */
export class KnownIngests {
  readonly #columns = new Map<string, readonly IngestColumn[]>()
  readonly #statements = new Map<string, Statement>()

  columns(sql: string, version: number): readonly IngestColumn[] | undefined {
    return this.#columns.get(`${version} ${sql}`)
  }

  addColumns(sql: string, version: number, columns: readonly IngestColumn[]): void {
    keep(this.#columns, `${version} ${sql}`, columns)
  }

  /** @param text the statement, whatever its rows come from */
  statement(text: string): Statement | undefined {
    return this.#statements.get(text)
  }

  /** @param statement one without parameters, which needs nothing but its text to run */
  addStatement(text: string, statement: Statement): void {
    keep(this.#statements, text, statement)
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= most) map.clear()
  map.set(key, value)
}
