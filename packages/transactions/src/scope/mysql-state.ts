import { describeError } from '@keelson/core'
import type { EngineState } from './line.ts'

/**
 * MySQL has no query that tells whether a transaction is open. This statement is refused inside of one, and outside says
 * of the next what is the rule: https://dev.mysql.com/doc/refman/8.4/en/set-transaction.html
 *
 * @throws any other error of the engine
 */
export async function mysqlState(send: (sql: string) => Promise<unknown>): Promise<EngineState> {
  try {
    await send('set transaction read write')
    return 'none'
  } catch (error) {
    if (describeError(error).code === 'ER_CANT_CHANGE_TX_CHARACTERISTICS') return 'open'
    throw error
  }
}
