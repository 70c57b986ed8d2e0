// Reads that would never end, each given up after a while, and what works beside and after them.
import { openSqlite } from '@keelson/sqlite'

const [path, how] = process.argv.slice(2) as [string, 'timeout' | 'signal']
const database = openSqlite({
  path,
  mode: 'threads',
  readers: 1,
  ...(how === 'timeout' && { queryTimeoutMs: 1_000 }),
})
await database.execute('create table t (a)')
const forEver =
  'with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n'
const reason = new Error('enough')
const signal = (): AbortSignal => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), 300)
  return controller.signal
}
const options = how === 'signal' ? { signal: signal() } : {}
console.log(
  await database.execute(forEver, [], options).then(
    () => 'ended',
    (error: Error) => (error === reason ? 'the reason' : error.name),
  ),
)
const { rows } = await database.execute('select 5 as a')
console.log(JSON.stringify(rows))
const { changes } = await database.execute('insert into t values (1)')
console.log(String(changes))
await database.close({ deadlineMs: 100 })
console.log('closed')
