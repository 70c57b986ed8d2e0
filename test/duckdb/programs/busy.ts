// Runs eight long queries at once on two databases, and meanwhile asks the file system for something, again and again.
// Prints how many milliseconds it waited for the slowest answer, and how many the queries took.
import { stat } from 'node:fs/promises'
import { openDuckDB } from '@keelson/duckdb'

const databases = await Promise.all([openDuckDB(':memory:'), openDuckDB(':memory:')])
const long = 'select max(hash(a.range + b.range))::varchar from range(8000) a, range(10000) b'
const start = performance.now()
let isOver = false
const queries = Promise.all(
  Array.from({ length: 8 }, (_, n) => databases[n % 2]!.execute(long)),
).finally(() => (isOver = true))

let slowest = 0
while (!isOver) {
  const asked = performance.now()
  await stat('.')
  slowest = Math.max(slowest, performance.now() - asked)
  await new Promise((resolve) => setTimeout(resolve, 5))
}
await queries
console.log(`${Math.round(slowest)} ${Math.round(performance.now() - start)}`)
for (const database of databases) await database.close()
