import { setImmediate as nextTurn } from 'node:timers/promises'
import { DuckDBDataChunk } from '@duckdb/node-api'
import { quoteIdentifier } from '@keelson/core'
import type { Connection } from '../connection/connection.ts'
import { Interruption } from '../connection/interruption.ts'
import type { IngestSource, OfferedSource } from './ingest-source.ts'

const vectorSize = 2_048

/** Flushing blocks the JavaScript thread, and a flush of everything would for half a second. */
const chunksPerFlush = 10

/** Temporary tables belong to a connection, and a connection does one thing at a time. */
const tableName = 'keelson_ingest'

/** Puts rows into a temporary table, from which the statement takes them. */
export async function fillStaging(
  connection: Connection,
  source: IngestSource,
  interruption: Interruption,
): Promise<OfferedSource> {
  const columns = source.columns.map(
    ({ name: column, type }) => `${quoteIdentifier(column, 'duckdb')} ${type.toString()}`,
  )
  await connection.command(`create temp table ${tableName} (${columns.join(', ')})`, interruption)
  const drop = async (): Promise<void> => {
    try {
      await connection.command(`drop table temp.${tableName}`, new Interruption())
    } catch {
      // In a transaction that has failed nothing can be done any more. The table goes with the connection.
      connection.changed('a staging table that could not be dropped')
    }
  }
  try {
    await append(connection, source, interruption)
  } catch (error) {
    await drop()
    throw error
  }
  return { name: `temp.${tableName}`, withdraw: drop }
}

async function append(
  connection: Connection,
  { columns, values, rowCount }: IngestSource,
  interruption: Interruption,
): Promise<void> {
  const types = columns.map(({ type }) => type)
  const appender = await connection.raw.createAppender(tableName, 'main', 'temp')
  try {
    for (let start = 0, chunks = 1; start < rowCount; start += vectorSize, chunks++) {
      const end = Math.min(start + vectorSize, rowCount)
      const chunk = DuckDBDataChunk.create(types)
      chunk.setColumns(values.map((items) => items.slice(start, end)))
      appender.appendDataChunk(chunk)
      if (chunks % chunksPerFlush !== 0) continue
      appender.flushSync()
      await nextTurn()
      interruption.throwIfAborted()
    }
    appender.closeSync()
  } catch (error) {
    // What it still holds would be written whenever it is collected as garbage.
    appender.clear()
    throw error
  }
}
