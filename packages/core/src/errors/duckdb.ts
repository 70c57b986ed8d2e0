import type { ErrorCategory, ErrorDescription, TransactionFate } from './error-description.ts'
import { textField } from './error-field.ts'
import { qualifiedColumns } from './qualified-columns.ts'

/** The parts of a DuckDB error that every way of reporting it has. */
interface DuckDBException {
  readonly type: string
  readonly subtype: string | undefined
  readonly message: string
}

/**
 * Describes an error of @duckdb/node-api, or returns `undefined` for any other.
 *
 * The client throws plain errors without a code (https://github.com/duckdb/duckdb-node-neo/issues/296). The type of
 * DuckDB's exception is read from the message's beginning or, with `errors_as_json`, from the JSON in it; what is
 * finer than the type has only its text.
 */
export function describeDuckDBError(
  error: object,
  includeValues: boolean,
): ErrorDescription | undefined {
  const text = textField(error, 'message')
  if (text === undefined || textField(error, 'code') !== undefined) return undefined
  const exception = fromJson(text) ?? fromPrefix(text)
  if (exception === undefined) return describeClosedHandle(text)
  const category = categoryOf(exception)
  return {
    engine: 'duckdb',
    category,
    code: exception.type,
    ...namesIn(exception.message, category),
    retryable: category === 'serialization' || category === 'busy',
    transactionFate: fateOf(exception),
    message: includeValues ? exception.message : withoutValues(exception.message),
  }
}

function fromJson(text: string): DuckDBException | undefined {
  const start = text.indexOf('{"exception_type"')
  if (start === -1) return undefined
  try {
    const parsed: unknown = JSON.parse(text.slice(start))
    if (typeof parsed !== 'object' || parsed === null) return undefined
    const type = textField(parsed, 'exception_type')
    const message = textField(parsed, 'exception_message')
    if (type === undefined || message === undefined) return undefined
    return { type, subtype: textField(parsed, 'error_subtype'), message }
  } catch {
    return undefined
  }
}

// What DuckDB can write before " Error:", from ExceptionTypeToString in its src/common/exception.cpp.
const types =
  'Binder|Catalog|Connection|Constraint|Conversion|Decimal|Dependency|Divide by Zero|Executor|Expression|' +
  'Extension Autoloading|FATAL|HTTP|Index|INTERNAL|INTERRUPT|Invalid Configuration|Invalid Input|Invalid type|IO|' +
  'Mismatch Type|Missing Extension|Not implemented|NullPointer|Object Size|Optimizer|Out of Memory|Out of Range|' +
  'Parameter Not Allowed|Parameter Not Resolved|Parser|Permission|Planner|Scheduler|Sequence|Serialization|' +
  'Settings|Syntax|TransactionContext|Unknown Type'

const prefix = new RegExp(`^(?:Failed to [a-z ]+: )?(${types}) Error: `)

function fromPrefix(text: string): DuckDBException | undefined {
  const match = prefix.exec(text)
  if (match?.[1] === undefined) return undefined
  const message = text.slice(match[0].length)
  const excerpt = message.indexOf('\n\nLINE ')
  return {
    type: match[1],
    subtype: undefined,
    // The excerpt of the statement is not part of the JSON either, and has the statement's values in it.
    message: excerpt === -1 ? message : message.slice(0, excerpt),
  }
}

const categories: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['Conversion', 'value'],
  ['Decimal', 'value'],
  ['Divide by Zero', 'value'],
  ['Invalid Input', 'value'],
  ['Invalid type', 'value'],
  ['Mismatch Type', 'value'],
  ['Object Size', 'value'],
  ['Out of Range', 'value'],
  ['Sequence', 'value'],
  ['Binder', 'syntax'],
  ['Expression', 'syntax'],
  ['Parser', 'syntax'],
  ['Syntax', 'syntax'],
  ['Catalog', 'misuse'],
  ['Dependency', 'misuse'],
  ['Invalid Configuration', 'misuse'],
  ['Not implemented', 'misuse'],
  ['Parameter Not Allowed', 'misuse'],
  ['Parameter Not Resolved', 'misuse'],
  ['Settings', 'misuse'],
  ['TransactionContext', 'misuse'],
  ['Extension Autoloading', 'missingObject'],
  ['Missing Extension', 'missingObject'],
  ['Unknown Type', 'missingObject'],
  ['Permission', 'permission'],
  ['INTERRUPT', 'cancelled'],
  ['Connection', 'connection'],
  ['FATAL', 'connection'],
  ['HTTP', 'connection'],
  ['IO', 'resource'],
  ['Out of Memory', 'resource'],
])

// Tried before the type alone decides; the first that fits wins.
const texts: readonly (readonly [type: string, text: RegExp, category: ErrorCategory])[] = [
  ['Constraint', /^Duplicate key|^PRIMARY KEY or UNIQUE constraint/, 'unique'],
  ['Constraint', /^Violates foreign key constraint/, 'foreignKey'],
  ['Constraint', /^NOT NULL constraint failed/, 'notNull'],
  ['Constraint', /^CHECK constraint failed/, 'check'],
  ['Binder', /^Referenced (column|table) .* not found|does not have a column/, 'missingObject'],
  ['Catalog', /does not exist|^unrecognized configuration parameter/, 'missingObject'],
  [
    'TransactionContext',
    /^Conflict on |^Catalog write-write conflict|^Transaction conflict/,
    'serialization',
  ],
  ['TransactionContext', /^Failed to commit|outstanding updates/, 'serialization'],
  ['TransactionContext', /read-only mode/, 'readOnly'],
  ['Invalid Input', /read-only mode/, 'readOnly'],
  [
    'Invalid Input',
    /parameter|^Cannot prepare multiple|configuration|were not recognized/,
    'misuse',
  ],
  ['IO', /^Could not set lock on file/, 'busy'],
  ['IO', /not a valid DuckDB database file|[Cc]orrupt/, 'corruption'],
  ['IO', /No such file|No files found|does not exist|not found/, 'missingObject'],
]

function categoryOf({ type, subtype, message }: DuckDBException): ErrorCategory {
  switch (subtype) {
    case 'MISSING_ENTRY':
    case 'COLUMN_NOT_FOUND':
      return 'missingObject'
    case 'ENTRY_ALREADY_EXISTS':
      return 'misuse'
    default: {
      const finer = texts.find((entry) => entry[0] === type && entry[1].test(message))?.[2]
      return finer ?? categories.get(type) ?? 'unknown'
    }
  }
}

// Found before the statement runs, or not always: DuckDB 1.5 goes on after these, 2.0 after no error at all
// (https://github.com/duckdb/duckdb/pull/22674), and an error does not tell the version.
const undecided: ReadonlySet<string> = new Set([
  'Binder',
  'Catalog',
  'Connection',
  'Not implemented',
  'Parameter Not Allowed',
  'Parser',
  'Permission',
  'Syntax',
])

function fateOf({ type, message }: DuckDBException): TransactionFate {
  if (type === 'TransactionContext') {
    if (message.startsWith('Failed to commit')) return 'rolledBack'
    if (message.endsWith('no transaction is active')) return 'kept'
  }
  return undecided.has(type) ? 'unknown' : 'aborted'
}

function namesIn(
  message: string,
  category: ErrorCategory,
): { table?: string; columns?: readonly string[] } {
  switch (category) {
    case 'unique': {
      const column = duplicateColumn(message)
      return column === undefined ? {} : { columns: [column] }
    }
    case 'notNull':
      return qualifiedColumns(/^NOT NULL constraint failed: ([^]+)$/.exec(message)?.[1] ?? '')
    case 'check': {
      const table = /^CHECK constraint failed on table ([^]+?) with expression /.exec(message)?.[1]
      return table === undefined ? {} : { table }
    }
    default:
      return {}
  }
}

/**
 * The column of `Duplicate key "email: a@b.c"`. Nothing is quoted in it: with a comma it can be a key of two columns
 * or one value with a comma, and then no column is named. With a parenthesis it is the index's expression.
 */
function duplicateColumn(message: string): string | undefined {
  const key = /^Duplicate key "([^]*)" violates /.exec(message)?.[1]
  if (key === undefined || key.includes(', ')) return undefined
  const end = key.indexOf(': ')
  const column = key.slice(0, end)
  return end < 1 || column.includes('(') ? undefined : column
}

function withoutValues(message: string): string {
  return message
    .replace(/^(Duplicate key )"[^]*"( violates )/, '$1"..."$2')
    .replace(/(constraint violation: duplicate key )"[^]*"/, '$1"..."')
    .replace(
      /^(Violates foreign key constraint because key )"[^]*"( does not | is still )/,
      '$1"..."$2',
    )
}

const closedHandle = /^Failed to [a-z ]+: (?:connection disconnected|instance closed)$/

function describeClosedHandle(message: string): ErrorDescription | undefined {
  const connection = closedHandle.test(message)
  if (!connection && message !== 'Cannot create values of type ANY. Specify a specific type.') {
    return undefined
  }
  return {
    engine: 'duckdb',
    category: connection ? 'connection' : 'misuse',
    code: undefined,
    retryable: false,
    transactionFate: connection ? 'unknown' : 'kept',
    message,
  }
}
