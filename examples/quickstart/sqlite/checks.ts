import type { SqliteDatabase } from '@keelson/sqlite'
import type { Kysely } from 'kysely'
import { airport, zip, type Database, type Drizzle } from './schema.ts'
import { number, print, printTable } from '../terminal.ts'

interface Settings {
  version: string
  journal_mode: string
  foreign_keys: number
  synchronous: number
}

/** `openSqlite()` has read each setting back after it was set; this asks SQLite once more. */
export async function showSqliteSettings(database: SqliteDatabase): Promise<void> {
  const { rows } = await database.execute<Settings>(
    `select sqlite_version() as version, journal_mode, foreign_keys, synchronous
     from pragma_journal_mode, pragma_foreign_keys, pragma_synchronous`,
  )
  const { version, journal_mode, foreign_keys, synchronous } = rows[0]!
  print(`SQLite ${version} says of its settings:`)
  printTable(
    ['pragma', 'value', 'meaning'],
    [
      ['journal_mode', journal_mode, 'readers do not wait for the writer'],
      ['foreign_keys', String(foreign_keys), 'no ZIP code refers to an airport that is not there'],
      ['synchronous', String(synchronous), 'normal: a commit survives the crash of this process'],
    ],
  )
}

export async function checkFile(
  database: SqliteDatabase,
  kysely: Kysely<Database>,
  drizzle: Drizzle,
): Promise<void> {
  const count = async (table: keyof Database): Promise<number> => {
    const rows = kysely.selectFrom(table).select(({ fn }) => fn.countAll<number>().as('count'))
    return (await rows.executeTakeFirstOrThrow()).count
  }
  printTable(
    ['table', 'rows, says Kysely', 'rows, says Drizzle'],
    [
      ['airport', await count('airport'), await drizzle.$count(airport)],
      ['zip', await count('zip'), await drizzle.$count(zip)],
    ],
  )

  const { ok } = await database.maintenance.integrityCheck()
  const orphans = await database.maintenance.foreignKeyCheck()
  const { bytes } = await database.maintenance.size()
  print(
    `integrity_check: ${ok ? 'ok' : 'failed'}, foreign_key_check: ${orphans.length} violations, size: ${number(bytes / 1e6, 1)} MB`,
  )
}
