import { excerpt, ParameterError } from '@keelson/core/base'
import { SqliteResultError } from '../errors.ts'
import type { PreparedStatement } from './prepared-statement.ts'
import { sqlTokens } from './tokens.ts'

/** Refuses a result that is larger than was allowed. */
export function tooManyRows({ sql }: PreparedStatement, maxRows: number): SqliteResultError {
  return new SqliteResultError(
    'TOO_MANY_ROWS',
    `The statement returns more than ${maxRows} rows (maxRows): ${excerpt(sql)}. Add a LIMIT, stream it, or allow more.`,
  )
}

/** Words better-sqlite3's complaints about the number of parameters so that they say what to do. */
export function worded(error: unknown, { sql }: PreparedStatement): unknown {
  const isCount =
    error instanceof RangeError && /parameter values were provided/.test(error.message)
  if (!isCount && !(error instanceof TypeError && /named parameters/.test(error.message)))
    return error
  const named = [...sqlTokens(sql)].find(({ kind, text }) => kind === 'placeholder' && text !== '?')
  const advice =
    named === undefined
      ? 'Give one value for each placeholder.'
      : `Values are bound by position here: write \`?\` instead of \`${named.text}\`, once for each value.`
  return new ParameterError(
    'PARAMETER_COUNT',
    `${error.message.replace(/\.?$/, '')} for ${excerpt(sql)}. ${advice}`,
    {
      cause: error,
    },
  )
}
