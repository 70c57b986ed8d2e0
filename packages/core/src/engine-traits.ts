/**
 * An engine as Keelson names it. What speaks PostgreSQL's protocol and dialect (PGlite, CockroachDB, YugabyteDB)
 * is `postgresql`; MariaDB is `mysql`.
 */
export type EngineName = 'sqlite' | 'duckdb' | 'postgresql' | 'mysql'

/**
 * What differs between the engines, as data, so that no feature asks for an engine's name. `undefined` means that
 * the engine has no such thing or no such limit.
 */
export interface EngineTraits {
  readonly engine: EngineName

  /** Encloses an identifier, and is doubled inside it. */
  readonly identifierQuote: '"' | '`'

  /**
   * The longest identifier, in bytes of UTF-8. PostgreSQL cuts off the rest **without an error**, so that two long
   * names can silently become one.
   *
   * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
   */
  readonly maxIdentifierBytes: number | undefined

  /**
   * The longest identifier, in characters, on the engine that counts those instead.
   *
   * @see https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html
   */
  readonly maxIdentifierCharacters: number | undefined

  /**
   * The most bound parameters in one statement. SQLite: `SQLITE_MAX_VARIABLE_NUMBER`, which a build may raise.
   * PostgreSQL and MySQL count them in 16 bits. DuckDB took 70,000 without complaint.
   *
   * @see https://www.sqlite.org/limits.html#max_variable_number
   * @see https://www.postgresql.org/docs/current/limits.html
   */
  readonly maxParameters: number | undefined

  /** How a statement's text refers to its parameters: one after the other, or by number from `$1`. */
  readonly placeholder: '?' | '$n'

  /** Characters that a string literal between single quotes cannot hold as they are, and what to write instead. */
  readonly literalEscapes: Readonly<Record<string, string>>

  /** Whether `INSERT`, `UPDATE` and `DELETE` take `RETURNING`. MariaDB's does for some; MySQL's does not. */
  readonly supportsReturning: boolean

  /** Whether `CREATE`, `ALTER` and `DROP` are undone by a rollback. MySQL commits before each of them. */
  readonly supportsTransactionalDdl: boolean

  /** The statements that open a transaction. */
  readonly begin: BeginStatements

  /** The statements of a savepoint, or `undefined` where there are none (DuckDB). */
  readonly savepoint: SavepointStatements | undefined
}

/** The statements that open a transaction, by what is asked for. */
export interface BeginStatements {
  /** For a transaction about which nothing is asked. */
  readonly default: string

  /**
   * When the write lock is taken. Only SQLite has the choice; there `default` is `immediate`, because a transaction
   * that starts by reading and writes later can fail with `SQLITE_BUSY` at once, whatever the busy timeout.
   *
   * @see https://www.sqlite.org/lang_transaction.html#deferred_immediate_and_exclusive_transactions
   */
  readonly behavior: Readonly<Record<'deferred' | 'immediate' | 'exclusive', string>> | undefined

  /**
   * Whether the transaction may write. SQLite cannot be told so when it begins; `PRAGMA query_only` is its way.
   */
  readonly accessMode: Readonly<Record<'read only' | 'read write', string>> | undefined
}

/**
 * The statements of a savepoint. Each is complete with the quoted name after it.
 *
 * @example
 * `${savepoint.create} ${quoteIdentifier('keelson_1', 'postgresql')}` // savepoint "keelson_1"
 */
export interface SavepointStatements {
  readonly create: string
  /** Undoes what followed the savepoint and leaves it in place: `release` comes after it. */
  readonly rollbackTo: string
  readonly release: string
}

const savepoint: SavepointStatements = Object.freeze({
  create: 'savepoint',
  rollbackTo: 'rollback to savepoint',
  release: 'release savepoint',
})

const doubledQuote = Object.freeze({ "'": "''" })

/** The traits of every engine, frozen. */
export const engineTraits: Readonly<Record<EngineName, EngineTraits>> = Object.freeze({
  sqlite: traits({
    engine: 'sqlite',
    identifierQuote: '"',
    maxIdentifierBytes: undefined,
    maxIdentifierCharacters: undefined,
    maxParameters: 32_766,
    placeholder: '?',
    literalEscapes: doubledQuote,
    supportsReturning: true,
    supportsTransactionalDdl: true,
    begin: {
      default: 'begin immediate',
      behavior: {
        deferred: 'begin deferred',
        immediate: 'begin immediate',
        exclusive: 'begin exclusive',
      },
      accessMode: undefined,
    },
    savepoint,
  }),
  duckdb: traits({
    engine: 'duckdb',
    identifierQuote: '"',
    maxIdentifierBytes: undefined,
    maxIdentifierCharacters: undefined,
    maxParameters: undefined,
    placeholder: '$n',
    literalEscapes: doubledQuote,
    supportsReturning: true,
    supportsTransactionalDdl: true,
    begin: {
      default: 'begin transaction',
      behavior: undefined,
      accessMode: {
        'read only': 'begin transaction read only',
        'read write': 'begin transaction read write',
      },
    },
    savepoint: undefined,
  }),
  postgresql: traits({
    engine: 'postgresql',
    identifierQuote: '"',
    maxIdentifierBytes: 63,
    maxIdentifierCharacters: undefined,
    maxParameters: 65_535,
    placeholder: '$n',
    literalEscapes: doubledQuote,
    supportsReturning: true,
    supportsTransactionalDdl: true,
    begin: {
      default: 'begin',
      behavior: undefined,
      accessMode: { 'read only': 'begin read only', 'read write': 'begin read write' },
    },
    savepoint,
  }),
  mysql: traits({
    engine: 'mysql',
    identifierQuote: '`',
    maxIdentifierBytes: undefined,
    maxIdentifierCharacters: 64,
    maxParameters: 65_535,
    placeholder: '?',
    literalEscapes: Object.freeze({ "'": "''", '\\': '\\\\' }),
    supportsReturning: false,
    supportsTransactionalDdl: false,
    begin: {
      default: 'start transaction',
      behavior: undefined,
      accessMode: {
        'read only': 'start transaction read only',
        'read write': 'start transaction read write',
      },
    },
    savepoint,
  }),
})

function traits(record: EngineTraits): EngineTraits {
  Object.freeze(record.begin.behavior)
  Object.freeze(record.begin.accessMode)
  Object.freeze(record.begin)
  return Object.freeze(record)
}
