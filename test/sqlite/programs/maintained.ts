// Starts a schedule of maintenance and does nothing more: it must end by itself.
import { openSqlite } from '@keelson/sqlite'

const database = openSqlite(process.argv[2]!)
database.maintain({ every: { optimize: 10, checkpoint: 3_600_000, vacuum: 3_600_000 } })
console.log('started')
