// Opens a database, leaves something open in it, and closes it. It says what close() reported, how much of the
// processor this process used in the 300 ms after it, and has to end by itself then.
import { openDuckDB } from '@keelson/duckdb'
import { leftovers } from '../leftovers.ts'

const [path, name, deadlineMs] = process.argv.slice(2) as [string, string, string]
const database = await openDuckDB(path)
await database.execute('create table if not exists t (a integer)')
await leftovers[name]!(database)
await new Promise((resolve) => setTimeout(resolve, 50))
const { forced } = await database.close({ deadlineMs: Number(deadlineMs) })
console.log(JSON.stringify(forced))
const before = process.cpuUsage()
await new Promise((resolve) => setTimeout(resolve, 300))
const { user, system } = process.cpuUsage(before)
console.log(String((user + system) / 1_000))
