import type { EngineName } from '@keelson/core'
import type { Emit } from '@keelson/indexes'

/** What `keelson.config.ts` says. Paths are relative to it. */
export interface Config {
  /**
   * Opens the database: a `Kysely`, or what `drizzle()` has returned. It is called by commands that need one, and what it has
   * returned is closed at the end (`db.destroy()`, or the client's `close()` or `end()`).
   */
  readonly db?: (() => object | Promise<object>) | undefined
  /** Closes it, where it is closed in another way. */
  readonly close?: ((db: any) => unknown) | undefined
  /** The engine that code is generated for. @default that of the database */
  readonly dialect?: EngineName | undefined
  /**
   * The tables: definitions (`defineTable()`, `fromJsonSchema()`, ...), tables of Drizzle, and paths or patterns of modules that
   * export some, such as `'src/tables/*.ts'`.
   */
  readonly tables?: string | object | readonly (string | object)[] | undefined
  /** `casing` of `drizzle()`, for tables of Drizzle. */
  readonly casing?: 'snake_case' | 'camelCase' | undefined
  /** The folder that `keelson generate` writes to. @default 'generated' */
  readonly out?: string | undefined
  /** What it writes. @default ['sql'] */
  readonly emit?: readonly Emit[] | undefined
  /** The folder of migrations of `keelson migrate`: Kysely's modules, or what drizzle-kit writes. @default 'migrations' */
  readonly migrations?: string | undefined
}

/**
 * Gives `keelson.config.ts` its types; returns what it is given.
 *
 * @example
 * export default defineConfig({
 *   db: () => new Kysely({ dialect: new SqliteDialect({ path: 'app.db' }) }),
 *   tables: 'src/tables/*.ts',
 * })
 */
export function defineConfig(config: Config): Config {
  return config
}
