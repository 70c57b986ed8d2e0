import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Place } from './place.ts'

/** A file in WAL mode. */
export async function prepareSqlite(directory: string, schema: readonly string[]): Promise<Place> {
  const location = join(directory, 'test.db')
  const program = fileURLToPath(new URL('sqlite-observer.ts', import.meta.url))
  const observer = fork(program, [location])
  const ask = async (sql: string): Promise<Record<string, unknown>[]> => {
    observer.send(sql)
    const [answer] = await once(observer, 'message')
    if ('failure' in answer) throw new Error(answer.failure)
    return answer.rows
  }
  await ask('pragma journal_mode = wal')
  await ask('create table t (id integer primary key, v text not null unique)')
  for (const statement of schema) await ask(statement)
  return {
    location,
    rows: async () => (await ask('select v from t order by id')).map(({ v }) => String(v)),
    execute: ask,
    commits: () => commitFrames(`${location}-wal`),
  }
}

/** Counts the commits in a write-ahead log that was never checkpointed: https://sqlite.org/fileformat2.html#walformat */
function commitFrames(path: string): number {
  const wal = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  if (wal.length === 0) return 0
  const frameSize = 24 + wal.readUInt32BE(8)
  let commits = 0
  for (let frame = 32; frame + frameSize <= wal.length; frame += frameSize)
    if (wal.readUInt32BE(frame + 4) > 0) commits++
  return commits
}
