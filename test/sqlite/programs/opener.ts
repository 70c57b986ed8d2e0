// Opens the file that each line of its input names, writes a row into it, closes it, and says how that went.
import { createInterface } from 'node:readline'
import { openSqlite } from '@keelson/sqlite'

console.log('ready')
for await (const path of createInterface({ input: process.stdin })) {
  try {
    const database = openSqlite(path)
    await database.execute('create table if not exists t (a)')
    await database.execute('insert into t values (1)')
    await database.close()
    console.log('ok')
  } catch (error) {
    console.log(String(error))
  }
}
