import type { ErrorCategory, ErrorDescription, TransactionFate } from './error-description.ts'
import { textField } from './error-field.ts'
import { KeelsonError } from './keelson-error.ts'

// A code that is missing here is described by its `cause`. The other packages' codes stand here because core, which
// every package imports, can import none of them.
const codes: Readonly<Partial<Record<ErrorCategory, readonly string[]>>> = {
  misuse: [
    'INVALID_IDENTIFIER',
    'INVALID_OPTION',
    'SETTING_NOT_APPLIED',
    'UNKNOWN_OPTION',
    'PARAMETER_COUNT',
    'PARAMETER_TYPE',
    'POOL_LEASE',
    'SAVEPOINTS_NOT_SUPPORTED',
    'TRANSACTION_CLOSED',
    // @keelson/sqlite
    'BACKUP_EXISTS',
    'EMPTY_STATEMENT',
    'FOREIGN_KEYS_PRAGMA',
    'MULTIPLE_STATEMENTS',
    'NO_ROWS_TO_STREAM',
    'NO_TRANSACTION',
    'NUL_IN_SQL',
    'PATH_INVALID',
    'PATH_IS_DIRECTORY',
    'PATH_OUTSIDE_DIRECTORY',
    'TOO_MANY_PARAMETERS',
    'TRANSACTION_CONTROL',
    'TRANSACTION_OPEN',
    'UNSUPPORTED_DRIZZLE',
    'WAL_UNAVAILABLE',
    // @keelson/duckdb
    'OPEN_IN_THIS_PROCESS',
    'SESSION_STATE',
    'SETTING_GUARDED',
    'UNSUPPORTED_CLIENT',
    // @keelson/transactions
    'ASYNC_CALLBACK',
    'NOT_WRAPPED',
    'TRANSACTION_OPTIONS',
    'TRANSACTION_PROPAGATION',
    // @keelson/indexes
    'BACKUP',
    'DESTRUCTIVE_STEP',
    'DUPLICATE_COLUMN',
    'DUPLICATE_TABLE',
    'EMPTY_PLAN',
    'FOREIGN_KEYS_ENFORCED',
    'INVALID_DEFAULT',
    'INVALID_DEFINITION',
    'INVALID_KEY',
    'INVALID_META',
    'MIGRATION_DATA_LOSS',
    'MIGRATION_DIRTY',
    'MIGRATION_EDITED',
    'MIGRATION_MISSING',
    'MIGRATION_NO_DOWN',
    'MIGRATION_OUT_OF_ORDER',
    'MIGRATION_SOURCE',
    'NAME_COLLISION',
    'NOT_ADDITIVE',
    'NOT_A_SCHEMA',
    'NO_COLUMN',
    'NO_OWN_CONNECTION',
    'OPEN_TRANSACTION',
    'OTHER_ENGINE',
    'REBUILD',
    'ROWS_IN_THE_WAY',
    'SCHEMA_DRIFT',
    'SQLITE_NOT_FOUND',
    'SYNCHRONOUS_DRIVER',
    'UNKNOWN_META',
    'UNSUPPORTED_BY_ENGINE',
    'UNSUPPORTED_CHANGE',
    'UNSUPPORTED_TYPE',
  ],
  missingObject: ['DIRECTORY_MISSING', 'FILE_MISSING'],
  foreignKey: ['MIGRATION_FOREIGN_KEYS', 'DEFERRED_FOREIGN_KEY'],
  value: [
    'INT64_RANGE',
    'DATE_RANGE',
    'INFINITE_TIMESTAMP',
    'JSON_TEXT',
    'TIMESTAMP_PRECISION',
    // @keelson/indexes and @keelson/bulk-insert
    'INVALID_ROW',
    'VALUE',
  ],
  busy: ['CONNECTION_BUSY'],
  timeout: [
    'POOL_ACQUIRE_TIMEOUT',
    'QUERY_TIMEOUT',
    'MIGRATION_LOCK_TIMEOUT',
    'SCHEMA_LOCK_TIMEOUT',
    'TRANSACTION_ACQUIRE_TIMEOUT',
    'TRANSACTION_TIMEOUT',
    'TRANSACTION_WAIT_TIMEOUT',
  ],
  connection: ['DATABASE_CLOSED', 'POOL_CLOSED'],
  deadlock: ['TRANSACTION_POOL_DEADLOCK'],
  // @keelson/bulk-insert
  serialization: ['WRITE_CONFLICT'],
  resource: ['POOL_QUEUE_FULL'],
  corruption: ['BACKUP_CORRUPT', 'NOT_A_DATABASE'],
  // DuckDB's client does not pass the reason on.
  unknown: ['STREAM_CUT_SHORT'],
}

const categories: ReadonlyMap<string, ErrorCategory> = new Map(
  (Object.entries(codes) as [ErrorCategory, readonly string[]][]).flatMap(([category, list]) =>
    list.map((code): [string, ErrorCategory] => [code, category]),
  ),
)

const fates: ReadonlyMap<string, TransactionFate> = new Map<string, TransactionFate>([
  // These can come from a statement that is running or has run.
  ['DATABASE_CLOSED', 'unknown'],
  ['INT64_RANGE', 'unknown'],
  ['DATE_RANGE', 'unknown'],
  ['INFINITE_TIMESTAMP', 'unknown'],
  ['JSON_TEXT', 'unknown'],
  ['TIMESTAMP_PRECISION', 'unknown'],
  ['STREAM_CUT_SHORT', 'aborted'],
  ['QUERY_TIMEOUT', 'unknown'],
  ['MIGRATION_DATA_LOSS', 'rolledBack'],
  ['MIGRATION_FOREIGN_KEYS', 'rolledBack'],
  ['REBUILD', 'rolledBack'],
  ['TRANSACTION_TIMEOUT', 'rolledBack'],
  // What the engine has done about it its own error in `cause` tells.
  ['WRITE_CONFLICT', 'unknown'],
])

/** Describes Keelson's own refusals, or returns `undefined` for any other error and for one that only wraps. */
export function describeKeelsonError(error: object): ErrorDescription | undefined {
  const code = keelsonCode(error)
  const category = code === undefined ? undefined : categories.get(code)
  if (code === undefined || category === undefined) return undefined
  return {
    engine: undefined,
    category,
    code,
    retryable: category === 'serialization',
    transactionFate: fates.get(code) ?? 'kept',
    message: textField(error, 'message') ?? '',
  }
}

/** Whether the error says that the engine has ended the transaction, for the reason in its `cause`. */
export function endedTransaction(error: object): boolean {
  return keelsonCode(error) === 'TRANSACTION_ABORTED'
}

function keelsonCode(error: object): string | undefined {
  try {
    return error instanceof KeelsonError ? textField(error, 'code') : undefined
  } catch {
    // A proxy can refuse to tell its prototype.
    return undefined
  }
}
