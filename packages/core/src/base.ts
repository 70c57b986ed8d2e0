/** The few parts of this package that a thread of a driver needs, which should begin in no time. */
export { upsertedFunction } from './capabilities/bulk-statements.ts'
export { KeelsonError, OptionError, QueryTimeoutError } from './errors/keelson-error.ts'
export { Int64RangeError, ParameterError } from './errors/value-errors.ts'
export { excerpt } from './excerpt.ts'
export { quoteIdentifier } from './identifier.ts'
export { objectFrom } from './object-from.ts'
export { checkOptionNames, describeValue, invalidOption } from './options.ts'
export { valuesByRow } from './values-by-row.ts'
