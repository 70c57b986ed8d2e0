import { describeError } from '@keelson/core'
import { MissingTableError } from '../errors.ts'

/** Runs `fn`, and says how to make the tables when they are not there. */
export async function explainingMissing<R>(
  where: string,
  tables: string,
  create: string,
  fn: () => Promise<R>,
): Promise<R> {
  try {
    return await fn()
  } catch (error) {
    if (describeError(error).category !== 'missingObject') throw error
    throw new MissingTableError(
      `${where} found no ${tables}, or not with the columns it needs. Create what is missing once, in a migration or when ` +
        `the program starts: \`await ${create}\`. Nothing was written.`,
      { cause: error },
    )
  }
}
