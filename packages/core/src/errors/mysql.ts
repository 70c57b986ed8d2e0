import type { ErrorCategory, ErrorDescription, TransactionFate } from './error-description.ts'
import { integerField, textField } from './error-field.ts'

/**
 * Describes an error of a MySQL or MariaDB server through mysql2 (or a client with the same fields), one that mysql2
 * makes itself, or returns `undefined` for any other.
 *
 * The error number decides, and for a number that is not listed the SQLSTATE's class. Only names are read from the
 * text, in its English form: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
 */
export function describeMysqlError(
  error: object,
  includeValues: boolean,
): ErrorDescription | undefined {
  const number = integerField(error, 'errno')
  const sqlState = textField(error, 'sqlState')
  const sqlMessage = textField(error, 'sqlMessage')
  // Either of them tells a server's error from Node's. Before the handshake is over a server sends no SQLSTATE.
  if (number === undefined || (sqlState ?? sqlMessage) === undefined) {
    return describeClientError(error)
  }
  const message = sqlMessage ?? textField(error, 'message') ?? ''
  const category = categoryOf(number, sqlState)
  return {
    engine: 'mysql',
    category,
    code: textField(error, 'code') ?? String(number),
    ...(sqlState !== undefined && { sqlState }),
    ...namesIn(message),
    retryable:
      category === 'deadlock' || category === 'serialization' || number === lockWaitTimeout,
    transactionFate: fateOf(category, number),
    message: includeValues ? message : withoutValues(message),
  }
}

const lockWaitTimeout = 1205

const numbers: Readonly<Partial<Record<ErrorCategory, readonly number[]>>> = {
  unique: [1022, 1062, 1169, 1586, 1761, 1762, 1859],
  foreignKey: [1216, 1217, 1451, 1452, 3730],
  notNull: [1048, 1263, 1364],
  check: [1369, 1644, 3819],
  value: [
    1242, 1264, 1265, 1292, 1300, 1365, 1366, 1367, 1406, 1411, 1416, 1526, 1690, 3140, 3141, 3156,
  ],
  syntax: [1052, 1055, 1064, 1065, 1111, 1136, 1149, 1222],
  missingObject: [1049, 1051, 1054, 1072, 1091, 1109, 1146, 1176, 1193, 1305, 1824],
  permission: [1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698, 3118, 3159],
  readOnly: [1036, 1223, 1290, 1792, 1836],
  busy: [lockWaitTimeout, 3572],
  deadlock: [1213, 1614],
  timeout: [3024],
  cancelled: [1317],
  connection: [
    1042, 1043, 1053, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 4031,
  ],
  resource: [
    1021, 1037, 1038, 1040, 1041, 1114, 1135, 1153, 1197, 1203, 1206, 1226, 1390, 1436, 1461, 1637,
    3170,
  ],
  corruption: [1034, 1035, 1194, 1195, 1712, 1877],
  misuse: [
    1007, 1050, 1060, 1061, 1099, 1100, 1210, 1235, 1243, 1288, 1295, 1471, 1568, 1826, 1845, 3105,
    3822,
  ],
}

const categories: ReadonlyMap<number, ErrorCategory> = new Map(
  (Object.entries(numbers) as [ErrorCategory, readonly number[]][]).flatMap(([category, list]) =>
    list.map((number): [number, ErrorCategory] => [number, category]),
  ),
)

const classes: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['08', 'connection'],
  ['21', 'value'],
  ['22', 'value'],
  ['25', 'misuse'],
  ['28', 'permission'],
  ['40', 'serialization'],
  ['42', 'syntax'],
  ['45', 'check'],
])

function categoryOf(number: number, sqlState = ''): ErrorCategory {
  // MariaDB's broken CHECK; MySQL has another error under this number.
  if (number === 4025 && sqlState === '23000') return 'check'
  return categories.get(number) ?? classes.get(sqlState.slice(0, 2)) ?? 'unknown'
}

/** https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html */
function fateOf(category: ErrorCategory, number: number): TransactionFate {
  switch (category) {
    case 'deadlock':
    case 'serialization':
      return 'rolledBack'
    case 'unique':
    case 'foreignKey':
    case 'notNull':
    case 'check':
    case 'value':
    case 'timeout':
    case 'cancelled':
      return 'statement'
    case 'syntax':
    case 'missingObject':
    case 'permission':
    case 'readOnly':
    case 'misuse':
      return 'kept'
    case 'busy':
      // With the server's innodb_rollback_on_timeout the whole transaction is gone.
      return number === lockWaitTimeout ? 'unknown' : 'statement'
    default:
      return 'unknown'
  }
}

interface Names {
  readonly constraint?: string
  readonly table?: string
  readonly columns?: readonly string[]
}

const quoted = '`(?:[^`]|``)+`'
const child = new RegExp(
  `\\(${quoted}\\.(${quoted}), CONSTRAINT (${quoted}) FOREIGN KEY \\((${quoted}(?:, ${quoted})*)\\)`,
)
const mariaDbCheck = new RegExp(`^CONSTRAINT (${quoted}) failed for ${quoted}\\.(${quoted})$`)

function namesIn(message: string): Names {
  const duplicate = /' for key '([^']+)'$/.exec(message)?.[1]
  if (duplicate !== undefined) return keyNames(duplicate)
  const [, childTable, foreignKey, columns] = child.exec(message) ?? []
  if (childTable !== undefined) {
    return {
      constraint: unquoted(foreignKey ?? ''),
      table: unquoted(childTable),
      columns: (columns ?? '').match(new RegExp(quoted, 'g'))?.map(unquoted) ?? [],
    }
  }
  const [, check, checkedTable] = mariaDbCheck.exec(message) ?? []
  if (check !== undefined) {
    return { constraint: unquoted(check), table: unquoted(checkedTable ?? '') }
  }
  const constraint = /^Check constraint '([^']+)' is violated\.$/.exec(message)?.[1]
  if (constraint !== undefined) return { constraint }
  const column =
    /^(?:Column|Field) '([^']+)' (?:cannot be null|doesn't have a default value)$/.exec(
      message,
    )?.[1] ?? / (?:for|in) column '([^']+)' at row \d+$/.exec(message)?.[1]
  return column === undefined ? {} : { columns: [column] }
}

/** `account.email` since MySQL 8.0.19, `email` before; with more dots nobody can tell where the table ends. */
function keyNames(key: string): Names {
  const [table, constraint, ...rest] = key.split('.')
  if (table === undefined || rest.length > 0) return {}
  return constraint === undefined ? { constraint: table } : { table, constraint }
}

function unquoted(name: string): string {
  return name.slice(1, -1).replaceAll('``', '`')
}

function withoutValues(message: string): string {
  return message.replace(/^(Duplicate entry )'[^]*'( for key )/, "$1'...'$2")
}

// What mysql2 reports without a server's answer.
const clientErrors: ReadonlyMap<string, ErrorCategory> = new Map<string, ErrorCategory>([
  ['PROTOCOL_CONNECTION_LOST', 'connection'],
  ['PROTOCOL_SEQUENCE_TIMEOUT', 'timeout'],
  ['Pool is closed.', 'connection'],
  ['No connections available.', 'resource'],
  ['Queue limit reached.', 'resource'],
])

const closedConnection = /^Can't add new command when connection is in closed state/

function describeClientError(error: object): ErrorDescription | undefined {
  const code = textField(error, 'code')
  const message = textField(error, 'message') ?? ''
  const category =
    clientErrors.get(code ?? message) ?? (closedConnection.test(message) ? 'connection' : undefined)
  if (category === undefined) return undefined
  return {
    engine: 'mysql',
    category,
    code,
    retryable: false,
    transactionFate: 'unknown',
    message,
  }
}
