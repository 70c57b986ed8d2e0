import type { BetterSqlite3Database } from '../better-sqlite3.ts'
import type { Answers } from './answers.ts'
import { answer } from './protocol.ts'

/**
 * Whether this connection has anything that others do not see and a read may mean: temporary tables, which stand before
 * those of the file, and attached databases. As long as it has, it says itself of each read which connection may run it.
 */
export class Privacy {
  readonly #database: BetterSqlite3Database
  readonly #answers: Answers
  #isPrivate = false
  /** Changes with what the names in a statement may mean. */
  generation = 0

  constructor(database: BetterSqlite3Database, answers: Answers) {
    this.#database = database
    this.#answers = answers
  }

  /** Looks anew, after the definitions have changed. */
  look(): void {
    this.generation++
    const own = this.#database
      .prepare(
        `select exists(select 1 from sqlite_temp_schema where name not like 'keelson!_%' escape '!')
           or (select count(*) from pragma_database_list where name not in ('main', 'temp')) > 0`,
      )
      .raw(true)
      .get() as [number]
    const isPrivate = own[0] === 1
    if (isPrivate === this.#isPrivate) return
    this.#isPrivate = isPrivate
    this.#answers.add([0, answer.privacy, isPrivate])
  }
}
