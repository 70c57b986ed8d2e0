import type { DatabaseConnection, Dialect, Driver } from 'kysely'

/** What a driver is asked to do with one of its connections. */
export interface Call {
  /** The connection, by number. */
  readonly connection: number
  /** `begin`, `savepoint`, `rollback to`, ..., or the text of a statement. */
  readonly what: string
}

/** Stands before a call: `run` does it, and need not be called. */
export type Around = <R>(
  call: Call,
  connection: DatabaseConnection,
  run: () => Promise<R>,
) => Promise<R>

const commands = {
  beginTransaction: 'begin',
  commitTransaction: 'commit',
  rollbackTransaction: 'rollback',
  savepoint: 'savepoint',
  rollbackToSavepoint: 'rollback to',
  releaseSavepoint: 'release',
} as const

/**
 * Puts a function around everything that a real driver does on its connections, below `withTransactions()`. The driver
 * and its connections stay the objects they are, since they are recognised by their classes.
 */
export function aroundDriver(dialect: Dialect, around: Around): Dialect {
  const createDriver = dialect.createDriver.bind(dialect)
  return Object.defineProperty(dialect, 'createDriver', {
    value: () => spyOn(createDriver(), around),
  })
}

function spyOn(driver: Driver, around: Around): Driver {
  const numbers = new WeakMap<DatabaseConnection, number>()
  let last = 0
  /** A command that a driver sends as a statement is one call. */
  const inCommand = new WeakSet<DatabaseConnection>()

  const acquire = driver.acquireConnection.bind(driver)
  driver.acquireConnection = async (options) => {
    const connection = await acquire(options)
    if (numbers.has(connection)) return connection
    numbers.set(connection, ++last)
    const execute = connection.executeQuery.bind(connection)
    connection.executeQuery = (query, queryOptions) => {
      if (inCommand.has(connection)) return execute(query, queryOptions)
      const call = { connection: numbers.get(connection)!, what: query.sql }
      return around(call, connection, () => execute(query, queryOptions))
    }
    return connection
  }
  for (const [method, what] of Object.entries(commands)) {
    const name = method as keyof typeof commands
    const command = driver[name]?.bind(driver) as
      | ((connection: DatabaseConnection, ...rest: unknown[]) => Promise<void>)
      | undefined
    if (command === undefined) continue
    const spied = (connection: DatabaseConnection, ...rest: unknown[]): Promise<void> =>
      around({ connection: numbers.get(connection)!, what }, connection, async () => {
        inCommand.add(connection)
        try {
          await command(connection, ...rest)
        } finally {
          inCommand.delete(connection)
        }
      })
    Object.defineProperty(driver, name, { value: spied })
  }
  return driver
}
