// Runs eight long queries at once on two databases, and meanwhile asks the file system for something, again and again.
// Prints how many answers it had before the first of the queries was done.
import { stat } from 'node:fs/promises'
import { openDuckDB } from '@keelson/duckdb'

const databases = await Promise.all([openDuckDB(':memory:'), openDuckDB(':memory:')])
const long = 'select max(hash(a.range + b.range))::varchar from range(8000) a, range(10000) b'
const queries = Array.from({ length: 8 }, (_, n) => databases[n % 2]!.execute(long))
let isFirstDone = false
void Promise.race(queries).then(() => (isFirstDone = true))

let answers = 0
while (!isFirstDone) {
  await stat('.')
  answers++
  await new Promise((resolve) => setTimeout(resolve, 5))
}
await Promise.all(queries)
console.log(answers)
for (const database of databases) await database.close()
