// What plain @duckdb/node-api does when it is closed at the wrong moment: says how much of the processor this process
// used in 300 ms a moment later. It may never end by itself.
import { DuckDBInstance } from '@duckdb/node-api'
import { endless } from '../leftovers.ts'

const [path, name] = process.argv.slice(2) as [string, 'running' | 'reopened']
const instance = await DuckDBInstance.fromCache(path)
const connection = await instance.connect()
if (name === 'running') {
  connection.run(endless).then(
    () => console.log('settled'),
    () => console.log('settled'),
  )
  await new Promise((resolve) => setTimeout(resolve, 100))
  connection.closeSync()
} else {
  instance.closeSync()
  void DuckDBInstance.fromCache(path).then(() => console.log('settled'))
}
await new Promise((resolve) => setTimeout(resolve, 300))
const before = process.cpuUsage()
await new Promise((resolve) => setTimeout(resolve, 300))
const { user, system } = process.cpuUsage(before)
console.log(String((user + system) / 1_000))
