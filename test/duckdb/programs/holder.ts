// Opens a file with plain @duckdb/node-api, says so, and keeps it open until its input ends:
// holder.ts <path> <access mode>
import { DuckDBInstance } from '@duckdb/node-api'

const [path, accessMode] = process.argv.slice(2) as [string, string]
try {
  const instance = await DuckDBInstance.create(path, { access_mode: accessMode })
  console.log('open')
  process.stdin.resume()
  process.stdin.once('end', () => instance.closeSync())
} catch (error) {
  console.log(String(error))
}
