/** Reads many rows, in the manner of its first parameter, and tells how much memory that took. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openDuckDB } from '@keelson/duckdb'

const [consumer, count] = process.argv.slice(2)
const wanted = Number(count)

const database = await openDuckDB({ path: ':memory:', threads: 2, memoryLimit: '256MB' })
const sql = `select range as id, 'name of ' || range as name, range * 1.5 as ratio, range % 7 as kind from range(${wanted})`

const megabytes = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20)
let peakMb = 0
const look = (): void => void (peakMb = Math.max(peakMb, megabytes()))
const timer = setInterval(look, 20)

let rows = 0
if (consumer === 'left early') {
  // As many streams as together would be too much.
  while (rows < wanted) {
    for await (const chunk of database.stream<object>(sql)) {
      rows = Math.min(wanted, rows + chunk.length)
      break
    }
    look()
  }
} else {
  let chunks = 0
  for await (const chunk of database.stream<object>(sql)) {
    rows += chunk.length
    if (consumer === 'slow' && chunks++ % 50 === 0) await sleep(20)
  }
}
look()
clearInterval(timer)
await database.close()
console.log(JSON.stringify({ rows, peakMb }))
