import { existsSync, rmSync } from 'node:fs'
import { describeError, type EngineName, type Steps } from '@keelson/core'
import { BackupError } from '../errors.ts'
import type { HostSession } from '../host/host.ts'
import { copyDuckDB } from './duckdb.ts'
import { copySqlite } from './sqlite.ts'

/** Copies a database into a new file and looks at the copy. @returns what is wrong with that; undefined for nothing */
export type CopyDatabase = (session: HostSession, path: string) => Steps<string | undefined>

const copies: Readonly<Partial<Record<EngineName, CopyDatabase>>> = {
  sqlite: copySqlite,
  duckdb: copyDuckDB,
}

/** Of those whose files are the server's. */
const tools: Readonly<Partial<Record<EngineName, string>>> = {
  postgresql: 'pg_dump',
  mysql: 'mysqldump --single-transaction',
}

/**
 * Copies a database into a file that does not exist, as it is at one moment, and checks the copy. One that fails leaves no file.
 *
 * @param where the function that was called, for messages: `applyPlan()`
 * @throws {BackupError} for a server, a file that exists, and a copy that is not whole
 */
export function* backUp(
  session: HostSession,
  engine: EngineName,
  path: string,
  where: string,
): Steps<void> {
  const copy = copies[engine]
  if (copy === undefined) {
    throw new BackupError(
      `${where} cannot back up a database of ${engine}: its files are the server's. Run ${tools[engine]} before, and leave out ` +
        '`backup`. Nothing was changed.',
    )
  }
  const file = JSON.stringify(path)
  if (existsSync(path)) {
    throw new BackupError(
      `${where} cannot back up to ${file}: there is a file already. Name one that does not exist. Nothing was changed.`,
    )
  }
  let fault: string | undefined
  try {
    fault = yield* copy(session, path)
  } catch (error) {
    rmSync(path, { force: true })
    throw new BackupError(
      `${where} could not copy the database into ${file}: ${describeError(error).message}. ` +
        'Give it a path in a directory that is there, with room for it. Nothing was changed.',
      { cause: error },
    )
  }
  if (fault === undefined) return
  rmSync(path, { force: true })
  throw new BackupError(
    `${where} made a copy in ${file} that is not whole, and removed it: ${fault} Nothing was changed.`,
  )
}
