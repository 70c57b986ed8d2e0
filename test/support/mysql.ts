import { randomUUID } from 'node:crypto'
import { createConnection } from 'mysql2/promise'
import { onTestFinished } from 'vitest'

/** The server that `KEELSON_MYSQL_URL` names; CONTRIBUTING.md says how to start one. */
const server = process.env['KEELSON_MYSQL_URL']

/** MySQL has no package that brings a server: its tests are skipped where none is named. */
export const hasMysql: boolean = server !== undefined && server !== ''

/**
 * Creates an empty database that nobody else uses, dropped when the test is over, and returns its
 * connection string.
 */
export async function createMysqlDatabase(): Promise<string> {
  if (!hasMysql) throw new Error('KEELSON_MYSQL_URL names no server')
  const url = new URL(server!)
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await runOnServer(`create database \`${name}\``)
  onTestFinished(() => runOnServer(`drop database \`${name}\``))
  url.pathname = name
  return url.href
}

/** Runs one statement as somebody else. */
export async function runOnServer(statement: string): Promise<void> {
  const connection = await createConnection(server!)
  try {
    await connection.query(statement)
  } finally {
    await connection.end()
  }
}
