import { openDuckDB } from '@keelson/duckdb'

// Reads a file that the parent process has open for reading too, which inherits what the parent has open.
const database = await openDuckDB({ path: process.argv[2]!, readOnly: true })
await database.execute('select a from t')
await database.close()
