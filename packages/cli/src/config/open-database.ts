import type { EngineName } from '@keelson/core'
import type {
  AdviseOptions,
  AdvisorWorkload,
  IndexAdvice,
  MigrationReport,
  SchemaPlan,
  TableDefinition,
} from '@keelson/indexes'
import type {
  ApplyOptions,
  ApplyReport,
  DiffOptions,
  IntrospectOptions,
  MigrateOptions,
} from '@keelson/indexes/kysely'
import { ConfigError } from '../errors.ts'
import type { LoadedConfig } from './load-config.ts'

/** What commands do with a database, whichever ORM it is of. */
export interface OpenDatabase {
  readonly engine: EngineName
  diff(tables: readonly TableDefinition[], options: DiffOptions): Promise<SchemaPlan>
  apply(plan: SchemaPlan, options: ApplyOptions): Promise<ApplyReport>
  ensure(tables: readonly TableDefinition[]): Promise<void>
  introspect(options: IntrospectOptions): Promise<readonly TableDefinition[]>
  migrate(options: MigrateOptions & { readonly migrations: string }): Promise<MigrationReport>
  advise(workload: AdvisorWorkload, options: AdviseOptions): Promise<IndexAdvice>
  applyAdvice(advice: IndexAdvice): Promise<void>
}

/**
 * Opens the database of a configuration, and closes it, whatever becomes of `fn`.
 *
 * @throws {ConfigError} where there is none
 */
export async function withDatabase<R>(
  config: LoadedConfig,
  fn: (database: OpenDatabase) => Promise<R>,
): Promise<R> {
  if (config.db === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${config.path} opens no database. Give it \`db: () => new Kysely(...)\`, or \`db: () => drizzle(...)\`.`,
    )
  }
  const db = await config.db()
  try {
    return await fn(await databaseOf(db, config))
  } finally {
    await close(db, config)
  }
}

async function databaseOf(db: any, config: LoadedConfig): Promise<OpenDatabase> {
  if (typeof db?.getExecutor === 'function') {
    const kysely = await import('@keelson/indexes/kysely')
    const { engineNameOfAdapter } = await import('@keelson/core/kysely')
    return {
      engine: known(engineNameOfAdapter(db.getExecutor().adapter), config),
      diff: (tables, options) => kysely.diffSchema(db, tables, options),
      apply: (plan, options) => kysely.applyPlan(db, plan, options),
      ensure: (tables) => kysely.ensureTables(db, tables),
      introspect: (options) => kysely.introspect(db, options),
      migrate: (options) => kysely.migrateSafely(db, options),
      advise: (workload, options) => kysely.adviseIndexes(db, workload, options),
      applyAdvice: (advice) => kysely.applyAdvice(db, advice),
    }
  }
  if (typeof db?.session !== 'object' && typeof db?._ !== 'object') {
    throw new ConfigError(
      'INVALID_CONFIG',
      `\`db\` of ${config.path} has returned neither a Kysely nor what drizzle() returns. Return one of them.`,
    )
  }
  const drizzle = await import('@keelson/indexes/drizzle')
  const { engineNameOfDatabase } = await import('@keelson/core/drizzle')
  return {
    engine: known(engineNameOfDatabase(db), config),
    diff: (tables, options) => drizzle.diffSchema(db, tables, options),
    apply: (plan, options) => drizzle.applyPlan(db, plan, options),
    ensure: (tables) => drizzle.ensureTables(db, tables),
    introspect: (options) => drizzle.introspect(db, options),
    migrate: (options) => drizzle.migrateSafely(db, options),
    advise: (workload, options) => drizzle.adviseIndexes(db, workload, options),
    applyAdvice: (advice) => drizzle.applyAdvice(db, advice),
  }
}

function known(engine: EngineName | undefined, config: LoadedConfig): EngineName {
  if (engine !== undefined) return engine
  throw new ConfigError(
    'INVALID_CONFIG',
    `\`db\` of ${config.path} is of an engine that keelson does not know. It works on SQLite, DuckDB, PostgreSQL and MySQL.`,
  )
}

async function close(db: any, config: LoadedConfig): Promise<void> {
  if (config.close !== undefined) await config.close(db)
  else if (typeof db?.destroy === 'function') await db.destroy()
  else if (typeof db?.$client?.close === 'function') await db.$client.close()
  else if (typeof db?.$client?.end === 'function') await db.$client.end()
}
