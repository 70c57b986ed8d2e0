import type { DuckDBDatabase } from '@keelson/duckdb'

/** Runs until it is interrupted. */
export const endless: string = 'select count(*) from range(1000000000000) r(i) where i % 7 = 1'

/** What somebody may leave open in a database with a table `t`, whose later errors are nobody's. */
export const leftovers: Readonly<Record<string, (database: DuckDBDatabase) => Promise<unknown>>> = {
  'a statement': async (database) => ignored(database.execute(endless)),
  'ten statements': async (database) => {
    for (let count = 0; count < 10; count++) ignored(database.execute(endless))
  },
  'a transaction': async (database) => {
    const session = database.connect()
    await session.begin()
    await session.execute('insert into t values (1)')
  },
  'a transaction with a statement': async (database) => {
    const session = database.connect()
    await session.begin()
    ignored(session.execute(endless))
  },
  'a transaction that has failed': async (database) => {
    const session = database.connect()
    await session.begin()
    await session.execute("select error('no')").catch(() => {})
  },
  'a transaction with a stream': async (database) => {
    const session = database.connect()
    await session.begin()
    await session.stream('select range from range(1000000)').next()
  },
  'a stream': async (database) => {
    await database.stream('select range from range(1000000)').next()
  },
  'a stream with parameters': async (database) => {
    await database.stream('select range from range($1::integer)', [1_000_000]).next()
  },
  'a stream that computes': async (database) => ignored(database.stream(endless).next()),
  'a session': async (database) => {
    const session = await database.reserve()
    await session.execute('create temp table u (a integer)')
  },
  'a session with a statement': async (database) => {
    const session = await database.reserve()
    ignored(session.execute(endless))
  },
  'a session with a transaction': async (database) => {
    const session = await database.reserve()
    await session.begin()
    await session.execute('insert into t values (1)')
  },
  'a loan with a statement': async (database) =>
    ignored(database.use(async (connection) => connection.run(endless))),
  'a loan with an appender': async (database) =>
    ignored(
      database.use(async (connection) => {
        const appender = await connection.createAppender('t')
        appender.appendInteger(7)
        appender.endRow()
        await connection.run(endless)
      }),
    ),
  'more than there are connections for': async (database) => {
    for (let count = 0; count < 10; count++) await database.connect().begin()
    ignored(database.execute('select 1'))
    ignored(database.connect().begin())
    ignored(database.stream('select 1').next())
    ignored(database.reserve())
    ignored(database.use(async () => {}))
  },
}

function ignored(promise: PromiseLike<unknown>): void {
  promise.then(
    () => {},
    () => {},
  )
}
