// Does one thing again and again, and says how much memory the process takes: after a first tenth, in the middle, and
// at the end, in MiB. Arguments: what to do, mode, directory, how often.
import { setFlagsFromString } from 'node:v8'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { openSqlite, type SqliteDatabase } from '@keelson/sqlite'

const [what, mode, directory, count] = process.argv.slice(2) as [
  string,
  'inline' | 'threads',
  string,
  string,
]
const total = Number(count)
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const open = (): SqliteDatabase =>
  openSqlite({ path: join(directory, 'test.db'), mode, readers: 2 })
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const database = open()
await database.execute('create table t (a integer primary key, b text)')
await database.execute(
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) insert into t select i, 'row ' || i from n",
)

const doing: Readonly<Record<string, (n: number) => Promise<unknown>>> = {
  // Reads and writes of a text that never comes again, some of which fail.
  async statements(n) {
    await Promise.all([
      database.execute(`select a, b, ${n} as n from t where a = ?`, [n % 2_000]),
      database.execute(`update t set b = 'row ${n}' where a = ?`, [n % 2_000]),
      database.execute(`select a from missing_${n}`).catch(() => {}),
    ])
  },
  // Opened, begun, and left: some by return(), some by the end of a loop, some by a signal.
  async streams(n) {
    const controller = new AbortController()
    const stream = database.stream('select a, b from t', [], {
      chunkRows: 100,
      signal: controller.signal,
    })
    await stream.next()
    if (n % 3 === 0) await stream.return!()
    else if (n % 3 === 1) for await (const _ of stream) break
    else {
      controller.abort()
      await stream.next().catch(() => {})
    }
  },
  async databases(n) {
    const another = open()
    await another.execute('update t set b = ? where a = 1', [String(n)])
    await another.execute('select count(*) from t')
    for await (const _ of another.stream('select a from t', [], { chunkRows: 100 })) break
    await another.close()
  },
}

async function memory(): Promise<number> {
  for (let turn = 0; turn < 10; turn++) {
    await nextTurn()
    collect()
  }
  return process.memoryUsage().rss / 2 ** 20
}

const seen: number[] = []
const marks = [total / 10, total / 2, total].map(Math.floor)
for (let n = 1; n <= total; n++) {
  await doing[what]!(n)
  if (n % 50 === 0) await nextTurn()
  if (marks.includes(n)) seen.push(await memory())
}
await database.close()
console.log(JSON.stringify(seen))
