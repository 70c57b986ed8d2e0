import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { describeError, type ErrorDescription } from '@keelson/core'
import {
  type Connection,
  createConnection,
  createPool,
  createServer as createMysqlServer,
} from 'mysql2'
import { expect, onTestFinished, test } from 'vitest'

interface MysqlError {
  readonly errno: number
  readonly code?: string
  readonly sqlState: string
  readonly sqlMessage: string
  readonly message: string
}

// No MySQL server exists here: the file's head says where its errors come from.
const fixture: {
  errors: { error: MysqlError; expected: Partial<ErrorDescription> }[]
} = JSON.parse(readFileSync(new URL('fixtures/mysql-errors.json', import.meta.url), 'utf8'))

test.for(fixture.errors)('$error.errno $error.message', async ({ error, expected }) => {
  const received = await receive(errorPacket(error))
  expect(received).toMatchObject(error)

  const { code, sqlState, sqlMessage } = error
  const description = describeError(received)
  expect(description).toMatchObject({
    engine: 'mysql',
    code: code ?? String(error.errno),
    message: sqlMessage,
    retryable: false,
    ...expected,
  })
  expect(description.sqlState).toBe(sqlState === '' ? undefined : sqlState)
  for (const name of ['table', 'columns', 'constraint'] as const) {
    if (!(name in expected)) expect(description).not.toHaveProperty(name)
  }
})

test('keeps the values when asked to', () => {
  const { message } = describeError(fixture.errors[0]?.error, { includeValues: true })
  expect(message).toBe("Duplicate entry 'a@b.c' for key 'account.email'")
})

test('a server that hangs up', async () => {
  expect(describeError(await receive(undefined))).toMatchObject({
    engine: 'mysql',
    category: 'connection',
    code: 'PROTOCOL_CONNECTION_LOST',
    transactionFate: 'unknown',
  })
})

test('a server that takes too long, and a connection that is closed', async () => {
  const connection = createConnection({ host: '127.0.0.1', port: await listenForever() })
  const slow = await failure((done) => connection.query({ sql: 'select 1', timeout: 20 }, done))
  expect(slow).toMatchObject({ category: 'timeout', code: 'PROTOCOL_SEQUENCE_TIMEOUT' })
  connection.on('error', () => {})
  connection.destroy()
  const late = await failure((done) => connection.query('select 1', done))
  expect(late).toMatchObject({ engine: 'mysql', category: 'connection', code: undefined })
})

test('a pool that is full, has a full queue, or is closed', async () => {
  const options = { host: '127.0.0.1', port: await listenForever(), connectionLimit: 1 }
  const impatient = createPool({ ...options, waitForConnections: false })
  const short = createPool({ ...options, queueLimit: 1 })
  for (const pool of [impatient, short]) {
    const full = await new Promise<unknown>((resolve) => {
      for (let i = 0; i < 3; i++) pool.query('select 1', (error) => error && resolve(error))
    })
    expect(describeError(full)).toMatchObject({ engine: 'mysql', category: 'resource' })
  }
  const closed = createPool(options)
  closed.end()
  const refused = await failure((done) => closed.query('select 1', done))
  expect(refused).toMatchObject({ engine: 'mysql', category: 'connection' })
})

/** mysql2's own server, which greets and then answers nothing. */
async function listenForever(): Promise<number> {
  const connections: Connection[] = []
  const server = createMysqlServer((connection) => {
    connections.push(connection as Connection)
    connection.on('error', () => {})
    connection.on('query', () => {})
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion: 'keelson',
      connectionId: 1,
      statusFlags: 2,
      characterSet: 8,
      capabilityFlags: 0xffffff,
      authCallback: (_: unknown, done: (error: null) => void) => {
        done(null)
        // Each command counts its packets from 0; the server half of mysql2 goes on counting, and warns.
        Reflect.set(connection, 'sequenceId', 0)
      },
    })
  })
  server.listen(0)
  const listening = Reflect.get(server, '_server') as Server
  await once(listening, 'listening')
  onTestFinished(() => {
    for (const connection of connections) connection.destroy()
    server.close(() => {})
  })
  return (listening.address() as AddressInfo).port
}

async function failure(
  call: (done: (error: unknown) => void) => unknown,
): Promise<ErrorDescription> {
  return describeError(await new Promise<unknown>((resolve) => call(resolve)))
}

/** What mysql2 makes of a server that says only this when it is called; nothing: a server that hangs up. */
async function receive(packet: Buffer | undefined): Promise<Error> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    if (packet === undefined) socket.destroy()
    else socket.end(packet)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const connection = createConnection({ host: '127.0.0.1', port })
  const received = new Promise<Error>((resolve) => connection.on('error', resolve))
  return received.finally(() => connection.destroy())
}

/** https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html */
function errorPacket({ errno, sqlState, sqlMessage }: MysqlError): Buffer {
  const state = sqlState === '' ? '' : `#${sqlState}`
  const body = Buffer.from(`\xff..${state}${sqlMessage}`, 'latin1')
  body.writeUInt16LE(errno, 1)
  const header = Buffer.alloc(4)
  header.writeUIntLE(body.length, 0, 3)
  return Buffer.concat([header, body])
}
