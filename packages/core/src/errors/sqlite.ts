import type { ErrorCategory, ErrorDescription, TransactionFate } from './error-description.ts'
import { integerField, textField } from './error-field.ts'
import { qualifiedColumns } from './qualified-columns.ts'
import { primarySqliteCode, sqliteCode } from './sqlite-codes.ts'

/**
 * Describes an error of better-sqlite3, node:sqlite or libsql, or returns `undefined` for any other.
 *
 * `SQLITE_ERROR` is the one code that stands for many causes, so that its text decides; so it does for the plain
 * errors without a code with which the drivers refuse a call.
 */
export function describeSqliteError(error: object): ErrorDescription | undefined {
  const code = codeOf(error)
  if (code === undefined) return describeRefusal(error)
  // libsql writes the code before SQLite's text, for a batch twice.
  const message = (textField(error, 'message') ?? '').replace(/^(?:SQLITE_[A-Z_]+: )+/, '')
  const category = categoryOf(code, message)
  return {
    engine: 'sqlite',
    category,
    code,
    ...namesIn(code, message),
    retryable: retryable.has(code),
    transactionFate: fates.get(code) ?? fateOf(category),
    message,
  }
}

function codeOf(error: object): string | undefined {
  const code = textField(error, 'code')
  if (code === undefined) return undefined
  if (code === 'ERR_SQLITE_ERROR') return sqliteCode(integerField(error, 'errcode') ?? -1) ?? code
  const named = sqliteCode(code)
  if (named === undefined) return undefined
  return sqliteCode(textField(error, 'extendedCode') ?? code) ?? named
}

const categories: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['SQLITE_CONSTRAINT_UNIQUE', 'unique'],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', 'unique'],
  ['SQLITE_CONSTRAINT_ROWID', 'unique'],
  ['SQLITE_CONSTRAINT_FOREIGNKEY', 'foreignKey'],
  ['SQLITE_CONSTRAINT_NOTNULL', 'notNull'],
  ['SQLITE_CONSTRAINT_CHECK', 'check'],
  ['SQLITE_CONSTRAINT_TRIGGER', 'check'],
  ['SQLITE_CONSTRAINT_DATATYPE', 'value'],
  ['SQLITE_MISMATCH', 'value'],
  ['SQLITE_TOOBIG', 'value'],
  ['SQLITE_ERROR_MISSING_COLLSEQ', 'missingObject'],
  ['SQLITE_PERM', 'permission'],
  ['SQLITE_AUTH', 'permission'],
  ['SQLITE_READONLY', 'readOnly'],
  ['SQLITE_BUSY', 'busy'],
  ['SQLITE_LOCKED', 'busy'],
  ['SQLITE_PROTOCOL', 'busy'],
  ['SQLITE_SCHEMA', 'busy'],
  ['SQLITE_ABORT', 'cancelled'],
  ['SQLITE_INTERRUPT', 'cancelled'],
  ['SQLITE_CANTOPEN', 'connection'],
  ['SQLITE_NOMEM', 'resource'],
  ['SQLITE_FULL', 'resource'],
  ['SQLITE_IOERR', 'resource'],
  ['SQLITE_NOLFS', 'resource'],
  ['SQLITE_IOERR_DATA', 'corruption'],
  ['SQLITE_IOERR_CORRUPTFS', 'corruption'],
  ['SQLITE_CORRUPT', 'corruption'],
  ['SQLITE_NOTADB', 'corruption'],
  ['SQLITE_MISUSE', 'misuse'],
  ['SQLITE_RANGE', 'misuse'],
])

const texts: readonly (readonly [RegExp, ErrorCategory])[] = [
  [/^no such |^unknown database |has no column named/, 'missingObject'],
  [/^cannot (start|commit|rollback|open savepoint|VACUUM|modify|INSERT|UPDATE)\b/, 'misuse'],
  [
    /already exists$|^there is already |inside a transaction$|may not be dropped$|cannot be dropped$/,
    'misuse',
  ],
  [/^not authorized$/, 'permission'],
  [/^too many |^variable number must be |is too large/, 'resource'],
  [/^integer overflow$|^malformed JSON$|^bad JSON path|^ESCAPE expression/, 'value'],
  [
    /syntax error$|^incomplete input$|^unrecognized token|^ambiguous |misuse|^foreign key mismatch/,
    'syntax',
  ],
  [
    /values for \d+ columns$|has \d+ columns but|^sub-select returns|^wrong number of arguments/,
    'syntax',
  ],
]

function categoryOf(code: string, message: string): ErrorCategory {
  if (code === 'SQLITE_ERROR') return texts.find(([text]) => text.test(message))?.[1] ?? 'unknown'
  return categories.get(code) ?? categories.get(primarySqliteCode(code)) ?? 'unknown'
}

const retryable: ReadonlySet<string> = new Set([
  'SQLITE_BUSY',
  'SQLITE_BUSY_RECOVERY',
  'SQLITE_BUSY_SNAPSHOT',
  'SQLITE_BUSY_TIMEOUT',
  'SQLITE_LOCKED_SHAREDCACHE',
])

// RAISE(ABORT) and RAISE(ROLLBACK) share the code.
const fates: ReadonlyMap<string, TransactionFate> = new Map<string, TransactionFate>([
  ['SQLITE_CONSTRAINT_TRIGGER', 'unknown'],
  ['SQLITE_ABORT_ROLLBACK', 'rolledBack'],
])

/**
 * After a full disk, an I/O error, exhausted memory or an interrupt SQLite may have rolled back by itself. BUSY is on
 * that list of old (https://www.sqlite.org/lang_transaction.html, section 3.1), but comes before anything is done.
 */
function fateOf(category: ErrorCategory): TransactionFate {
  switch (category) {
    case 'unique':
    case 'foreignKey':
    case 'notNull':
    case 'check':
    case 'value':
      return 'statement'
    case 'syntax':
    case 'missingObject':
    case 'permission':
    case 'readOnly':
    case 'busy':
    case 'misuse':
      return 'kept'
    default:
      return 'unknown'
  }
}

function namesIn(
  code: string,
  message: string,
): { constraint?: string; table?: string; columns?: readonly string[] } {
  switch (code) {
    case 'SQLITE_CONSTRAINT_CHECK': {
      const constraint = after('CHECK constraint failed: ', message)
      return constraint === undefined ? {} : { constraint }
    }
    case 'SQLITE_CONSTRAINT_UNIQUE': {
      const index = /^UNIQUE constraint failed: index '([^]*)'$/.exec(message)?.[1]
      if (index !== undefined) return { constraint: index }
      return qualifiedColumns(after('UNIQUE constraint failed: ', message) ?? '')
    }
    case 'SQLITE_CONSTRAINT_PRIMARYKEY':
    case 'SQLITE_CONSTRAINT_ROWID':
      return qualifiedColumns(after('UNIQUE constraint failed: ', message) ?? '')
    case 'SQLITE_CONSTRAINT_NOTNULL':
      return qualifiedColumns(after('NOT NULL constraint failed: ', message) ?? '')
    case 'SQLITE_CONSTRAINT_DATATYPE':
      return qualifiedColumns(
        /^cannot store \w+ value in \w+ column ([^]+)$/.exec(message)?.[1] ?? '',
      )
    default:
      return {}
  }
}

function after(prefix: string, message: string): string | undefined {
  return message.startsWith(prefix) ? message.slice(prefix.length) : undefined
}

// better-sqlite3 refuses calls with plain TypeErrors and RangeErrors, node:sqlite with Node's general codes.
const refusals: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['SQLite3 can only bind numbers, strings, bigints, buffers, and null', 'misuse'],
  ['Too few parameter values were provided', 'misuse'],
  ['Too many parameter values were provided', 'misuse'],
  ['The supplied SQL string contains more than one statement', 'misuse'],
  ['The supplied SQL string contains no statements', 'misuse'],
  ['The SQL query contains no statements.', 'misuse'],
  ['This statement does not return data. Use run() instead', 'misuse'],
  ['Transaction function cannot return a promise', 'misuse'],
  ['In-memory/temporary databases cannot be readonly', 'misuse'],
  ['This database connection is busy executing a query', 'busy'],
  ['This statement is busy executing a query', 'busy'],
  ['The bound string, buffer, or bigint is too big', 'value'],
  ['BigInt value is too large to bind.', 'value'],
  ['Array overflow (too many rows returned)', 'resource'],
  ['The database connection is not open', 'connection'],
  ['database is not open', 'connection'],
  ['Cannot open database because the directory does not exist', 'connection'],
])

const refusalTexts: readonly (readonly [RegExp, ErrorCategory])[] = [
  [/^Missing named parameter "/, 'misuse'],
  [/^Unknown named parameter '/, 'misuse'],
  [/^Value is too large to be represented as a JavaScript number: /, 'value'],
]

function describeRefusal(error: object): ErrorDescription | undefined {
  const message = textField(error, 'message') ?? ''
  const category = refusals.get(message) ?? refusalTexts.find(([text]) => text.test(message))?.[1]
  if (category === undefined) return undefined
  return {
    engine: 'sqlite',
    category,
    code: textField(error, 'code'),
    retryable: false,
    transactionFate: 'kept',
    message,
  }
}
