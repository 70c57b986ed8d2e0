import { type EngineName, wait, type Steps, describeError } from '@keelson/core'
import { BackupError } from '../../errors.ts'
import type { Host } from '../../host/host.ts'

/** What to use on engines whose backup is no statement. */
const instead: Readonly<Partial<Record<EngineName, string>>> = {
  postgresql: 'Use pg_dump, or the backups of whoever runs the server',
  mysql: 'Use mysqldump, or the backups of whoever runs the server',
  duckdb: 'Use EXPORT DATABASE, or copy the file while nobody has it open',
}

/**
 * Copies a SQLite database into a file that does not exist, as it is at one moment, and checks the copy.
 *
 * @throws {BackupError} for another engine, a file that exists, and a copy that is not whole
 */
export function* backUp(host: Host, path: string): Steps<void> {
  const other = instead[host.engine]
  if (other !== undefined) {
    throw new BackupError(
      `applyPlan() makes no backup of ${host.engine}. ${other}, and leave out \`backup\`. Nothing was changed.`,
    )
  }
  const quoted = `'${path.replaceAll("'", "''")}'`
  try {
    yield* wait(host.run(`vacuum main into ${quoted}`))
  } catch (error) {
    throw new BackupError(
      `applyPlan() could not copy the database into ${JSON.stringify(path)}: ${describeError(error).message}. ` +
        'Give it a path that does not exist, in a directory that does. Nothing was changed.',
      { cause: error },
    )
  }
  yield* wait(host.run(`attach ${quoted} as keelson_backup`))
  let rows
  try {
    rows = yield* wait(host.query('pragma keelson_backup.integrity_check'))
  } finally {
    yield* wait(host.run('detach keelson_backup'))
  }
  const [first] = rows
  if (first?.['integrity_check'] === 'ok') return
  throw new BackupError(
    `The copy in ${JSON.stringify(path)} is not whole: ${String(first?.['integrity_check'])}. The database itself may be damaged: ` +
      'run `pragma integrity_check` on it. Nothing was changed.',
  )
}
