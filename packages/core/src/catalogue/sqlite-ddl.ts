import type { CatalogueCheck, CatalogueKey, Deferrability } from './catalogue.ts'
import { isWord, splitAtCommas, type SqlToken, sqlTokens } from './sql-tokens.ts'

/** What of a `CREATE TABLE` no pragma of SQLite shows. Names are as written there, in any case. */
export interface SqliteTableText {
  readonly primaryKeyName: string | undefined
  readonly autoIncrement: boolean
  readonly uniques: readonly CatalogueKey[]
  readonly checks: readonly CatalogueCheck[]
  /** In the order in which they are declared. */
  readonly foreignKeys: readonly SqliteForeignKeyText[]
  /** The expressions of generated columns. */
  readonly generated: ReadonlyMap<string, string>
  /** The collations of columns that were declared one. */
  readonly collations: ReadonlyMap<string, string>
}

/** A foreign key as the statement has it. */
export interface SqliteForeignKeyText {
  readonly name: string | undefined
  readonly columns: readonly string[]
  readonly referencedTable: string
  readonly deferrable: Deferrability
}

/** What of a `CREATE INDEX` no pragma of SQLite shows. */
export interface SqliteIndexText {
  readonly keys: readonly SqliteIndexKeyText[]
  readonly where: string | undefined
}

/** A key of an index as the statement has it, without ASC or DESC. */
export interface SqliteIndexKeyText {
  readonly text: string
  /** The COLLATE at its end, and what stands before it. */
  readonly collation: string | undefined
  readonly uncollated: string
}

const tableConstraints = ['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN']

/** Reads a `CREATE TABLE` that SQLite has accepted: `sqlite_schema.sql`. */
export function readSqliteTable(sql: string): SqliteTableText {
  const body = sqlTokens(sql).find((token) => token.kind === 'group')
  const table: TableText = {
    primaryKeyName: undefined,
    autoIncrement: false,
    uniques: [],
    checks: [],
    foreignKeys: [],
    generated: new Map(),
    collations: new Map(),
  }
  for (const item of splitAtCommas(body?.inner ?? [])) {
    // All five words are reserved: unquoted none of them can be a column's name.
    const ofTable = tableConstraints.some((word) => isWord(item[0], word))
    readConstraints(sql, item, ofTable ? undefined : item[0]?.text, table)
  }
  return table
}

interface TableText {
  primaryKeyName: string | undefined
  autoIncrement: boolean
  readonly uniques: CatalogueKey[]
  readonly checks: CatalogueCheck[]
  readonly foreignKeys: SqliteForeignKeyText[]
  readonly generated: Map<string, string>
  readonly collations: Map<string, string>
}

/**
 * Reads what follows a column's name, or the constraints of the table. SQLite does not ask for commas between the
 * latter, and every word looked for is a reserved one, so that going through them in order is enough.
 */
function readConstraints(
  sql: string,
  item: readonly SqlToken[],
  column: string | undefined,
  table: TableText,
): void {
  let name: string | undefined
  let foreignColumns: readonly string[] | undefined
  for (let at = column === undefined ? 0 : 1; at < item.length; at++) {
    const token = item[at]
    const next = item[at + 1]
    if (token?.kind !== 'word') continue
    switch (token.text.toUpperCase()) {
      case 'CONSTRAINT':
        name = next?.text
        at++
        continue
      case 'PRIMARY':
        table.primaryKeyName = name
        if (column === undefined)
          table.autoIncrement ||= hasAutoIncrement(item[at + 2]?.inner ?? [])
        break
      case 'AUTOINCREMENT':
        table.autoIncrement = true
        continue
      case 'UNIQUE':
        table.uniques.push(named(name, { columns: keyColumns(column, next) }))
        break
      case 'CHECK':
        table.checks.push(named(name, { expression: inside(sql, next) }))
        break
      case 'AS':
        if (column !== undefined) table.generated.set(column, inside(sql, next))
        break
      case 'FOREIGN':
        foreignColumns = keyColumns(undefined, item[at + 2])
        continue
      case 'REFERENCES':
        table.foreignKeys.push({
          name,
          columns: foreignColumns ?? (column === undefined ? [] : [column]),
          referencedTable: next?.text ?? '',
          deferrable: 'no',
        })
        break
      case 'DEFERRABLE': {
        const foreignKey = table.foreignKeys.pop()
        if (foreignKey === undefined) break
        const deferrable = isWord(item[at - 1], 'NOT') ? 'no' : initially(next, item[at + 2])
        table.foreignKeys.push({ ...foreignKey, deferrable })
        break
      }
      case 'COLLATE':
        if (column !== undefined && next !== undefined) table.collations.set(column, next.text)
        break
      // What can have a name and keeps none of it.
      case 'NULL':
      case 'DEFAULT':
        break
      default:
        continue
    }
    name = undefined
  }
}

function initially(word: SqlToken | undefined, mode: SqlToken | undefined): Deferrability {
  return isWord(word, 'INITIALLY') && isWord(mode, 'DEFERRED') ? 'deferred' : 'immediate'
}

function hasAutoIncrement(key: readonly SqlToken[]): boolean {
  return key.some((token) => isWord(token, 'AUTOINCREMENT'))
}

function keyColumns(column: string | undefined, list: SqlToken | undefined): readonly string[] {
  if (column !== undefined) return [column]
  return splitAtCommas(list?.inner ?? []).map((part) => part[0]?.text ?? '')
}

function named<T extends object>(name: string | undefined, rest: T): T & { name?: string } {
  return name === undefined ? rest : { name, ...rest }
}

function inside(sql: string, group: SqlToken | undefined): string {
  return group === undefined ? '' : sql.slice(group.start + 1, group.end - 1).trim()
}

/** Reads a `CREATE INDEX` that SQLite has accepted: `sqlite_schema.sql`. */
export function readSqliteIndex(sql: string): SqliteIndexText {
  const tokens = sqlTokens(sql)
  const list = tokens.findIndex((token) => token.kind === 'group')
  const where = tokens.findIndex((token) => isWord(token, 'WHERE'))
  return {
    keys: splitAtCommas(tokens[list]?.inner ?? []).map((key) => readKey(sql, key)),
    where: where === -1 ? undefined : textOf(sql, tokens.slice(where + 1)),
  }
}

function readKey(sql: string, key: readonly SqlToken[]): SqliteIndexKeyText {
  const last = key.at(-1)
  const direction = isWord(last, 'ASC') || isWord(last, 'DESC')
  const whole = direction ? key.slice(0, -1) : key
  const collated = isWord(whole.at(-2), 'COLLATE')
  return {
    text: textOf(sql, whole),
    collation: collated ? whole.at(-1)?.text : undefined,
    uncollated: textOf(sql, collated ? whole.slice(0, -2) : whole),
  }
}

function textOf(sql: string, tokens: readonly SqlToken[]): string {
  return sql.slice(tokens[0]?.start, tokens.at(-1)?.end)
}
