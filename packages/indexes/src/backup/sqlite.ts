import { type Steps, wait } from '@keelson/core'
import type { HostSession } from '../host/host.ts'
import { textSql } from '../sql/literal.ts'

/** `VACUUM INTO` copies what is committed at one moment, while others go on. */
export function* copySqlite(session: HostSession, path: string): Steps<string | undefined> {
  const file = textSql(path, 'sqlite')
  yield* wait(session.run(`vacuum main into ${file}`))
  yield* wait(session.run(`attach database ${file} as keelson_backup`))
  let rows
  try {
    rows = yield* wait(session.query('pragma keelson_backup.integrity_check'))
  } finally {
    yield* wait(session.run('detach database keelson_backup'))
  }
  const answer = rows.map((row) => String(Object.values(row)[0])).join('; ')
  if (answer === 'ok') return undefined
  return `integrity_check says ${answer}. The database itself may be damaged: run \`pragma integrity_check\` on it.`
}
