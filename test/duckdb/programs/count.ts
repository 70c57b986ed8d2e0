// Says how many rows the table `t` of a file has, by plain @duckdb/node-api.
import { DuckDBInstance } from '@duckdb/node-api'

const instance = await DuckDBInstance.create(process.argv[2]!)
const connection = await instance.connect()
const result = await connection.run('select count(*) from t')
console.log(String(result.getChunk(0).getRows()[0]![0]))
