/** Forgets streams, and tells what becomes of them. Started with no flags, it turns the collector's on by itself. */
import { tracingChannel } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openDuckDB } from '@keelson/duckdb'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const database = await openDuckDB({ path: ':memory:', pool: { max: 2 } })
await database.execute('create table t as select range::integer as a from range(30000)')

let warning: (Error & { code?: string }) | undefined
process.on('warning', (each) => {
  warning ??= each
})
const outcomes: string[] = []
tracingChannel('keelson:query').asyncEnd.subscribe((event) => {
  const { kind, outcome } = event as { kind: string; outcome: string }
  if (kind === 'stream') outcomes.push(outcome)
})

async function forget(): Promise<void> {
  const stream = database.stream('from t')
  await stream.next()
}

async function collected(isDone: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !isDone(); round++) {
    collect()
    await sleep(10)
  }
}

await forget()
await collected(() => warning !== undefined && database.poolStats.inUse === 0)
const text = warning?.message
  .replace(/for \d+ ms/, 'for N ms')
  .replace(/\S*(stream-forgotten\.ts):\d+:\d+/, '$1')
console.log(`${warning?.code} ${text}`)
console.log(outcomes.join())
console.log(`in use: ${database.poolStats.inUse}`)

await database.transaction(async (tx) => {
  await tx.execute('create table u as select range as a from range(3)')
  await (async () => void (await tx.stream('from t').next()))()
  await collected(() => outcomes.length === 2)
  const { rows } = await tx.execute<{ n: number }>('select count(*) as n from u')
  console.log(`in a transaction: ${rows[0]?.n}`)
})

// What somebody waits for is not forgotten.
const slow =
  'select sum(hash(x.range + y.range) % 7)::integer as n from range(4000) x, range(4000) y'
const first = database.stream<{ n: number }>(slow).next()
for (let round = 0; round < 10; round++) {
  collect()
  await sleep(5)
}
const { done } = await first
console.log(`waited for: ${done === false}`)

let read = 0
for await (const rows of database.stream('from t', [], { chunkRows: 5_000 })) {
  collect()
  await sleep(5)
  collect()
  read += rows.length
}
console.log(`read slowly: ${read}`)
const { forced } = await database.close()
console.log(`forced: ${forced.length}`)
