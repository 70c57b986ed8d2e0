import { checkOptionNames, describeValue, invalidOption, OptionError } from '@keelson/core'
import { checkVersion } from '@keelson/core/drizzle'
import { is, Table } from 'drizzle-orm'
import { CasingCache } from 'drizzle-orm/casing'
import { SchemaError } from '../errors.ts'
import type { ColumnDefinition } from '../ir/column.ts'
import type { Expression } from '../ir/expression.ts'
import type { IndexDefinition, IndexKey } from '../ir/index-definition.ts'
import type { ForeignKeyDefinition, TableDefinition } from '../ir/table-definition.ts'
import { checkedTable } from '../read/checked-table.ts'
import { drizzleColumn } from './drizzle-column.ts'
import {
  type DrizzleColumn,
  type DrizzleForeignKey,
  type DrizzleIndex,
  type DrizzleIndexKey,
  isSql,
  type TableConfig,
  tableSource,
} from './drizzle-tables.ts'
import { DrizzleSql } from './drizzle-sql.ts'

export interface FromDrizzleOptions {
  /** As drizzle() was given it: how keys become names of columns that have none of their own. @default as they are written */
  readonly casing?: 'snake_case' | 'camelCase'
}

const where = 'fromDrizzle()'

/**
 * Reads tables of Drizzle (`sqliteTable`, `pgTable`, `mysqlTable`): columns, keys, foreign keys, checks and indexes, partial,
 * descending and over expressions included.
 *
 * A column has the type in which Drizzle stores its values on that engine: `integer({ mode: 'timestamp' })` of SQLite is a whole
 * number. Where no portable type is stored in the same way, the engine's own stands in its `override`. What Drizzle does itself
 * (`$defaultFn`, the values of `text({ enum })`) is not in the table.
 *
 * @param tables one table, several, or the module that exports them (`import * as schema`), of which other exports are left out
 * @throws {SchemaError} for an operator class or an order of NULLs, which definitions do not have
 *
 * @example
 * import * as schema from './schema.ts'
 * const plan = await diffSchema(db, fromDrizzle(schema))
 */
export function fromDrizzle(
  tables: Table | Iterable<Table> | Readonly<Record<string, unknown>>,
  options: FromDrizzleOptions = {},
): readonly TableDefinition[] {
  checkVersion('@keelson/indexes/drizzle')
  checkOptionNames(where, options, ['casing'])
  const { casing } = options
  if (casing !== undefined && casing !== 'snake_case' && casing !== 'camelCase') {
    invalidOption(where, 'casing', casing, "'snake_case' or 'camelCase'")
  }
  return given(tables).map((table) => new TableReader(table, casing).read())
}

function given(tables: unknown): readonly Table[] {
  if (is(tables, Table)) return [tables]
  if (typeof tables === 'object' && tables !== null) {
    const isList = Symbol.iterator in tables
    const all = isList ? Array.from(tables as Iterable<unknown>) : Object.values(tables)
    // A module may export one table under two names.
    const found = [...new Set(all.filter((each) => is(each, Table)))]
    if (found.length > 0 && (!isList || found.length === new Set(all).size)) return found
  }
  throw new OptionError(
    'INVALID_OPTION',
    'tables',
    `${where} cannot use ${describeValue(tables)} as \`tables\`. It takes tables of Drizzle, or the module that exports them.`,
  )
}

class TableReader {
  readonly #config: TableConfig
  readonly #sql: DrizzleSql
  readonly #casing: CasingCache
  readonly #columns: readonly ColumnDefinition[]

  constructor(table: Table, casing: 'snake_case' | 'camelCase' | undefined) {
    const { engine, config, dialect } = tableSource(table, casing)
    this.#config = config
    this.#casing = new CasingCache(casing)
    const plain = new DrizzleSql(engine, dialect)
    this.#columns = config.columns.map((column) =>
      drizzleColumn(column, this.#nameOf(column), engine, plain),
    )
    this.#sql = new DrizzleSql(engine, dialect, this.#columns)
  }

  read(): TableDefinition {
    const { name, schema, columns, primaryKeys, foreignKeys, checks, indexes } = this.#config
    const key = primaryKeys[0]?.columns ?? columns.filter(({ primary }) => primary)
    const primaryKey = key.map((column) => this.#nameOf(column))
    return checkedTable({
      name,
      ...(schema !== undefined && { schema }),
      columns: this.#columns.map((column) =>
        column.nullable && primaryKey.includes(column.name)
          ? { ...column, nullable: false }
          : column,
      ),
      primaryKey,
      indexes: [...this.#uniques(), ...indexes.map((index) => this.#index(index))],
      foreignKeys: foreignKeys.map((each) => this.#foreignKey(each)),
      checks: checks.map((check) => ({
        name: check.name,
        predicate: this.#sql.predicate(check.value),
      })),
      queries: [],
    })
  }

  #nameOf(column: DrizzleColumn): string {
    return this.#casing.getColumnCasing(column as never)
  }

  #uniques(): readonly IndexDefinition[] {
    const { columns, uniqueConstraints } = this.#config
    const single = columns
      .filter(({ isUnique }) => isUnique)
      .map((column) =>
        this.#unique(column.uniqueName, [column], column.uniqueType !== 'not distinct'),
      )
    const several = uniqueConstraints.map((unique) =>
      this.#unique(
        unique.getName?.() ?? unique.name,
        unique.columns,
        unique.nullsNotDistinct !== true,
      ),
    )
    return [...single, ...several]
  }

  #unique(
    name: string | undefined,
    columns: readonly DrizzleColumn[],
    nullsDistinct: boolean,
  ): IndexDefinition {
    return {
      ...(name !== undefined && { name }),
      keys: columns.map((column) => ({ expression: this.#reference(column) })),
      unique: true,
      ...(!nullsDistinct && { nullsDistinct }),
    }
  }

  #index({ config }: DrizzleIndex): IndexDefinition {
    const { name, columns, unique, where: rows, method, using } = config
    const way = method ?? using
    const isUsual = way === undefined || way === 'btree'
    return {
      ...(name !== undefined && { name }),
      keys: columns.map((key) => this.#key(key, name)),
      unique,
      ...(rows !== undefined && { where: this.#sql.predicate(rows) }),
      ...(!isUsual && { method: { [this.#sql.engine]: way } }),
    }
  }

  #key(key: DrizzleIndexKey, index: string | undefined): IndexKey {
    if (isSql(key)) return this.#sql.key(key)
    const { order, nulls, opClass } = key.indexConfig ?? {}
    // Of `.desc()` alone Drizzle says that NULLs come last, so that only the other way round was asked for.
    if (opClass !== undefined || (order === 'asc' && nulls === 'first')) {
      const what = opClass === undefined ? 'NULLs first' : `the operator class ${opClass}`
      throw new SchemaError(
        'UNSUPPORTED_TYPE',
        this.#config.name,
        undefined,
        `The index ${index ?? 'without a name'} of ${this.#config.name} has ${what}, which definitions cannot say. ` +
          'Leave it out of the table, and create it in a migration of its own.',
      )
    }
    return {
      expression: this.#reference(key),
      ...(order === 'desc' && { direction: 'desc' }),
    }
  }

  /** A key of an index of PostgreSQL is a copy that does not know its table. */
  #reference(column: Pick<DrizzleColumn, 'name'>): Expression {
    const own = this.#config.columns.find(({ name }) => name === column.name)
    return { kind: 'column', name: own === undefined ? column.name : this.#nameOf(own) }
  }

  #foreignKey(key: DrizzleForeignKey): ForeignKeyDefinition {
    const { columns, foreignTable, foreignColumns } = key.reference()
    const { onDelete, onUpdate } = key
    return {
      name: key.getName(),
      columns: columns.map((column) => this.#nameOf(column)),
      referencedTable: tableSource(foreignTable, undefined).config.name,
      referencedColumns: foreignColumns.map((column) => this.#nameOf(column)),
      ...(onDelete !== undefined && { onDelete }),
      ...(onUpdate !== undefined && { onUpdate }),
    }
  }
}
