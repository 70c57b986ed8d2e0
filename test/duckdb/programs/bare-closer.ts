// What plain @duckdb/node-api does when it is closed at the wrong moment: says so when this process has used the
// processor for 300 ms afterwards. It never ends by itself.
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
const before = process.cpuUsage()
let used = 0
while (used < 300) {
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { user, system } = process.cpuUsage(before)
  used = (user + system) / 1_000
}
console.log('spins')
