/** Does things many times, and tells by how many kilobytes the heap has grown afterwards. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openDuckDB } from '@keelson/duckdb'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const database = await openDuckDB({ path: ':memory:', pool: { max: 3 }, queryTimeoutMs: 60_000 })
await database.execute('create table t as select range::integer as a from range(5000)')
const session = database.connect()
const signal = new AbortController().signal

const deeds: Readonly<Record<string, () => unknown>> = {
  'streams that are never read': () => void session.stream('from t', [], { signal }),
  'streams that are left early': async () => {
    for await (const _ of session.stream('from t', [], { signal })) break
  },
  'streams that are read': async () => {
    for await (const _ of database.stream('select 1 where 1 = $1', [1], { signal })) void _
  },
  statements: () => session.execute('select a from t where a = $1', [1], { signal }),
  'statements that fail': () => database.execute('selec 1', [], { signal }).catch(() => {}),
  'statements that are aborted': () => {
    const controller = new AbortController()
    const failing = database.execute('select 1', [], { signal: controller.signal }).catch(() => {})
    controller.abort()
    return failing
  },
  'statements with texts of their own': () => database.execute(`select ${Math.random()}`),
  transactions: () => database.transaction(async (tx) => void (await tx.execute('select 1'))),
  sessions: async () => {
    const each = database.connect()
    await each.begin({ signal })
    await each.release()
  },
  'sessions with a connection of their own': async () => {
    const each = await database.reserve({ signal })
    await each.execute('set variable x = 1')
    await each.release()
  },
}

async function repeat(deed: () => unknown, times: number): Promise<void> {
  for (let again = 0; again < times; again++) await deed()
}

async function heap(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return process.memoryUsage().heapUsed
}

const times = Number(process.argv[2])
const grown: Record<string, number> = {}
for (const [name, deed] of Object.entries(deeds)) {
  await repeat(deed, times / 4)
  const before = await heap()
  await repeat(deed, times)
  grown[name] = Math.round(((await heap()) - before) / 1_024)
}
await database.close()
console.log(JSON.stringify(grown))
