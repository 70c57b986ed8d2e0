import { invalidOption } from '@keelson/core'

const maxLength = 255

/**
 * Refuses a name that not every engine would keep as it is, so that what is one counter here is one everywhere.
 *
 * @throws {OptionError} `INVALID_OPTION`
 */
export function checkName(where: string, option: string, name: unknown): asserts name is string {
  const isName =
    typeof name === 'string' &&
    name.length > 0 &&
    Array.from(name).length <= maxLength &&
    // PostgreSQL stores no NUL; half of a surrogate pair becomes another character in UTF-8.
    !/[\0\p{Surrogate}]/u.test(name) &&
    // MySQL compares without the spaces at the end, so that two names would be one.
    !name.endsWith(' ')
  if (isName) return
  invalidOption(
    where,
    option,
    name,
    `text of 1 to ${maxLength} characters, with no NUL, no half surrogate pair and no space at the end`,
  )
}
