// Writes 400,000 rows by plain @duckdb/node-api, so that all of them are in the WAL, and waits to be killed.
import { DuckDBInstance } from '@duckdb/node-api'

const instance = await DuckDBInstance.create(process.argv[2]!, { wal_autocheckpoint: '1TB' })
const connection = await instance.connect()
await connection.run('create table t (a integer, b varchar)')
for (let part = 0; part < 8; part++)
  await connection.run(
    `insert into t select range, md5(range::varchar) from range(${part * 50_000}, ${(part + 1) * 50_000})`,
  )
console.log('written')
process.stdin.resume()
