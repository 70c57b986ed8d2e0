import type { ErrorCategory, ErrorDescription, TransactionFate } from './error-description.ts'
import { textField } from './error-field.ts'

/**
 * Describes an error of a PostgreSQL server through pg, PGlite or postgres.js, one that these clients make
 * themselves, or returns `undefined` for any other.
 *
 * Everything but one choice rests on the SQLSTATE and the fields beside it, which no `lc_messages` translates:
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function describePostgresqlError(
  error: object,
  includeValues: boolean,
): ErrorDescription | undefined {
  const state = textField(error, 'code')
  const severity = textField(error, 'severity')
  // The severity tells a server's error from Node's, whose codes can have five letters as well (EPIPE).
  if (state === undefined || severity === undefined || !/^[0-9A-Z]{5}$/.test(state)) {
    return describeClientError(error)
  }
  const message = textField(error, 'message') ?? ''
  const detail = textField(error, 'detail')
  const shown = detail === undefined || includeValues ? detail : withoutValues(detail, state)
  return {
    engine: 'postgresql',
    category: categoryOf(state, message),
    code: state,
    sqlState: state,
    ...namesIn(error, state, detail),
    retryable: state === '40001' || state === '40P01',
    transactionFate: fateOf(state),
    message: shown === undefined ? message : `${message}: ${shown}`,
  }
}

const states: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['08P01', 'misuse'],
  ['0L000', 'permission'],
  ['0LP01', 'permission'],
  ['0P000', 'permission'],
  ['23001', 'foreignKey'],
  ['23502', 'notNull'],
  ['23503', 'foreignKey'],
  ['23505', 'unique'],
  ['23514', 'check'],
  ['23P01', 'unique'],
  ['25006', 'readOnly'],
  ['25P03', 'timeout'],
  ['25P04', 'timeout'],
  ['40003', 'connection'],
  ['40P01', 'deadlock'],
  ['42501', 'permission'],
  ['42602', 'misuse'],
  ['42622', 'misuse'],
  ['42701', 'misuse'],
  ['42703', 'missingObject'],
  ['42704', 'missingObject'],
  ['42710', 'misuse'],
  ['42723', 'misuse'],
  ['42883', 'missingObject'],
  ['42P01', 'missingObject'],
  ['42P03', 'misuse'],
  ['42P04', 'misuse'],
  ['42P05', 'misuse'],
  ['42P06', 'misuse'],
  ['42P07', 'misuse'],
  ['55006', 'busy'],
  ['55P03', 'busy'],
  ['57P01', 'connection'],
  ['57P02', 'connection'],
  ['57P03', 'connection'],
  ['57P04', 'connection'],
  ['57P05', 'timeout'],
  ['58P01', 'missingObject'],
  ['P0001', 'check'],
  ['P0002', 'value'],
  ['P0003', 'value'],
  ['P0004', 'check'],
  ['XX001', 'corruption'],
  ['XX002', 'corruption'],
])

// For a state that is not listed, its first two characters decide.
const classes: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['08', 'connection'],
  ['0A', 'misuse'],
  ['0B', 'misuse'],
  ['21', 'value'],
  ['22', 'value'],
  ['24', 'misuse'],
  ['25', 'misuse'],
  ['26', 'missingObject'],
  ['27', 'misuse'],
  ['28', 'permission'],
  ['2B', 'misuse'],
  ['2D', 'misuse'],
  ['34', 'missingObject'],
  ['3B', 'missingObject'],
  ['3D', 'missingObject'],
  ['3F', 'missingObject'],
  ['40', 'serialization'],
  ['42', 'syntax'],
  ['44', 'check'],
  ['53', 'resource'],
  ['54', 'resource'],
  ['55', 'misuse'],
  ['57', 'cancelled'],
  ['58', 'resource'],
])

function categoryOf(state: string, message: string): ErrorCategory {
  // 57014 is a cancel request as well as a statement_timeout; only the text differs, and it can be translated.
  if (state === '57014') return message.includes('timeout') ? 'timeout' : 'cancelled'
  return states.get(state) ?? classes.get(state.slice(0, 2)) ?? 'unknown'
}

/** Every error dooms the transaction. Where the server closes the connection a COMMIT may have got through. */
function fateOf(state: string): TransactionFate {
  switch (state) {
    // It was the server that waited, for a statement that did not come.
    case '25P03':
    case '25P04':
      return 'rolledBack'
    case '40003':
    case '53300':
    case '57P01':
    case '57P02':
    case '57P03':
    case '57P04':
    case '57P05':
      return 'unknown'
    default:
      return state.startsWith('28') || (state.startsWith('08') && state !== '08P01')
        ? 'unknown'
        : 'aborted'
  }
}

function namesIn(
  error: object,
  state: string,
  detail: string | undefined,
): { constraint?: string; table?: string; columns?: readonly string[] } {
  // postgres.js spells the fields out.
  const constraint = textField(error, 'constraint') ?? textField(error, 'constraint_name')
  const table = textField(error, 'table') ?? textField(error, 'table_name')
  const column = textField(error, 'column') ?? textField(error, 'column_name')
  const columns = column === undefined ? keyColumns(state, detail, table) : [column]
  return {
    ...(constraint !== undefined && { constraint }),
    ...(table !== undefined && { table }),
    ...(columns !== undefined && { columns }),
  }
}

function keyColumns(
  state: string,
  detail: string | undefined,
  table: string | undefined,
): readonly string[] | undefined {
  if (detail === undefined) return undefined
  const key = readKey(detail)
  switch (state) {
    case '23505':
    case '23P01':
      return key?.columns
    case '23503':
      return key === undefined || refersTo(table, detail.slice(key.end)) ? undefined : key.columns
    default:
      return undefined
  }
}

/**
 * Whether the child, which `table` is in both cases, is named again after the key. Then it is what still refers to
 * that key, and the columns are those of its parent.
 */
function refersTo(table: string | undefined, rest: string): boolean {
  return rest.includes('"') ? rest.includes(`"${table}"`) : rest.includes(table ?? '')
}

/**
 * Reads `(a, "b c")=` in a detail such as `Key (a, "b c")=(1, 2) already exists.`, without the words around it,
 * which are translated. An expression is no column, and then none is returned.
 */
function readKey(detail: string): { columns: readonly string[]; end: number } | undefined {
  const name = /\s*(?:"((?:[^"]|"")+)"|([a-z_\u0080-\uffff][\w$\u0080-\uffff]*))(, |\)=\()/y
  name.lastIndex = detail.indexOf('(') + 1
  const columns: string[] = []
  for (;;) {
    const match = name.exec(detail)
    if (match === null) return undefined
    columns.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    if (match[3] !== ', ') return { columns, end: name.lastIndex }
  }
}

/** Only the details of broken constraints are known to have their values between parentheses. */
function withoutValues(detail: string, state: string): string | undefined {
  if (!state.startsWith('23')) return undefined
  const start = describesRow(state) ? detail.indexOf('(') : valuesOfKey(detail)
  const end = detail.lastIndexOf(')')
  if (start === -1 || end < start) return undefined
  return `${detail.slice(0, start)}(...)${detail.slice(end + 1)}`
}

function describesRow(state: string): boolean {
  return state === '23502' || state === '23514'
}

function valuesOfKey(detail: string): number {
  const key = readKey(detail)
  if (key !== undefined) return key.end - 1
  // A key with an expression can have these characters in it too, but none of its values comes before them.
  const end = detail.indexOf(')=(')
  return end === -1 ? -1 : end + 2
}

// What the clients report without a server's answer: pg and PGlite by text, postgres.js by code.
const clientErrors: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['CONNECTION_CLOSED', 'connection'],
  ['CONNECTION_DESTROYED', 'connection'],
  ['CONNECTION_ENDED', 'connection'],
  ['CONNECT_TIMEOUT', 'timeout'],
  ['Client has encountered a connection error and is not queryable', 'connection'],
  ['Client was closed and is not queryable', 'connection'],
  ['Cannot use a pool after calling end on the pool', 'connection'],
  ['Connection terminated', 'connection'],
  ['Connection terminated unexpectedly', 'connection'],
  ['PGlite is closed', 'connection'],
  ['Connection terminated due to connection timeout', 'timeout'],
  ['timeout exceeded when trying to connect', 'timeout'],
  ['timeout expired', 'timeout'],
  ['Query read timeout', 'timeout'],
])

function describeClientError(error: object): ErrorDescription | undefined {
  const code = textField(error, 'code')
  const message = textField(error, 'message') ?? ''
  const category = clientErrors.get(code ?? message)
  if (category === undefined) return undefined
  return {
    engine: 'postgresql',
    category,
    code,
    retryable: false,
    transactionFate: 'unknown',
    message,
  }
}
