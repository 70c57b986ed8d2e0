// Uses a database in every way, closes it in the middle of that, says what is still open, and must end by itself.
import { openSqlite } from '@keelson/sqlite'

const [path, mode] = process.argv.slice(2) as [string, 'inline' | 'threads']
// A pipe that is written to is one, too: threads make those of their process.
process.stdout.write('')
process.stderr.write('')
const before = process.getActiveResourcesInfo()
const database = openSqlite({
  path,
  mode,
  readers: 2,
  queryTimeoutMs: 3_600_000,
  busyTimeoutMs: 3_600_000,
})
await database.execute('create table t (a)')
await Promise.all(
  Array.from({ length: 50 }, (_, n) => database.execute('insert into t values (?)', [n])),
)
const stream = database.stream('select a from t', [], { chunkRows: 1 })
await stream.next()
const session = database.connect()
await session.begin()
await session.execute('insert into t values (1)')
const controller = new AbortController()
const waiting = database
  .execute('insert into t values (2)', [], { signal: controller.signal })
  .catch(() => {})
await database.execute('select count(*) from t')
await database.close({ deadlineMs: 10 })
await waiting
const rest = process.getActiveResourcesInfo().filter((resource) => !before.includes(resource))
process.stdout.write(`${JSON.stringify(rest)}\n`)
