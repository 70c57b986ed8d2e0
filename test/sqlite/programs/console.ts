// Another process on the same file: runs each line of its input as SQL with plain better-sqlite3, and answers with
// `ok`, or with the code of the error.
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'

const database = new Database(process.argv[2]!, { timeout: 0 })
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  try {
    database.exec(line)
    console.log('ok')
  } catch (error) {
    console.log((error as { code: string }).code)
  }
}
