import {
  type DuckDBConnection,
  type DuckDBMaterializedResult,
  type DuckDBPreparedStatement,
  StatementType,
} from '@duckdb/node-api'
import { excerpt, ParameterError } from '@keelson/core'
import { bindParameter, parameterTargets, type ParameterTarget } from '../values/parameter.ts'
import type { RowShape } from '../result/row-shape.ts'

/** A statement that DuckDB has understood, and what it has found out about it. */
export class Statement {
  readonly sql: string
  readonly type: StatementType
  /** DuckDB makes several statements of it, and can prepare none of them before the ones in front have run. */
  readonly isExpanded: boolean
  readonly #raw: DuckDBPreparedStatement | undefined
  readonly #targets: readonly ParameterTarget[]
  /** How its last result was read; most results of a statement look alike. */
  shape: RowShape | undefined

  private constructor(
    sql: string,
    type: StatementType,
    raw: DuckDBPreparedStatement | undefined,
    isExpanded: boolean,
  ) {
    this.sql = sql
    this.type = type
    this.isExpanded = isExpanded
    this.#raw = raw
    this.#targets = raw === undefined ? [] : parameterTargets(raw)
  }

  static async prepare(connection: DuckDBConnection, sql: string): Promise<Statement> {
    const raw = await connection.prepare(sql)
    return new Statement(sql, raw.statementType, raw, false)
  }

  static expanded(sql: string): Statement {
    const type = /\bpivot/i.test(sql) ? StatementType.SELECT : StatementType.INVALID
    return new Statement(sql, type, undefined, true)
  }

  /** The same statement with another source of its rows, where it takes no parameters: its text is all that it needs. */
  withText(sql: string): Statement {
    const other = new Statement(sql, this.type, undefined, false)
    other.shape = this.shape
    return other
  }

  /** As DuckDB has prepared it. */
  get raw(): DuckDBPreparedStatement {
    return this.#raw!
  }

  get takesParameters(): boolean {
    return this.#targets.length > 0
  }

  /** Rows come from it and nothing is changed by it. */
  get isRead(): boolean {
    if (this.type === StatementType.EXPLAIN) return !/\banalyze\b/i.test(this.sql)
    return this.type === StatementType.SELECT
  }

  /** @throws {ParameterError} when values and placeholders do not fit each other; nothing has run */
  bind(parameters: readonly unknown[]): void {
    const targets = this.#targets
    if (parameters.length !== targets.length) {
      throw new ParameterError(
        'PARAMETER_COUNT',
        `${excerpt(this.sql)} takes ${targets.length} parameter${targets.length === 1 ? '' : 's'}, and got ` +
          `${parameters.length}. Give one value for each $1, $2, ... or ?, in order.`,
      )
    }
    for (let index = 0; index < targets.length; index++)
      bindParameter(this.raw, index, parameters[index], targets[index]!)
  }

  /**
   * Runs it with the parameters it was bound to.
   *
   * Without parameters from its text, in one step: DuckDB plans such a statement while it prepares it, from what the
   * tables hold at that moment, and runs that plan even if rows have come since which it leaves out
   * (https://github.com/duckdb/duckdb/issues/23704). With parameters it plans when it runs.
   */
  run(connection: DuckDBConnection): Promise<DuckDBMaterializedResult> {
    return this.takesParameters ? this.raw.run() : connection.run(this.sql)
  }

  /** What DuckDB has prepared is given up; what was found out stays. */
  destroy(): void {
    this.#raw?.destroySync()
  }
}
