import type { MethodContext } from './context.ts'
import { DuckDBMethod } from './duckdb-method.ts'
import type { Method } from './method.ts'
import { MysqlMethod } from './mysql-method.ts'
import { PostgresMethod } from './postgres-method.ts'
import type { DateText } from './postgres-text.ts'
import { SqliteMethod } from './sqlite-method.ts'

/** The fastest way that is right on an engine. */
export function methodFor(context: MethodContext, dates: DateText): Method {
  switch (context.traits.engine) {
    case 'sqlite':
      return new SqliteMethod(context)
    case 'duckdb':
      return new DuckDBMethod(context)
    case 'postgresql':
      return new PostgresMethod(context, dates)
    case 'mysql':
      return new MysqlMethod(context)
  }
}
