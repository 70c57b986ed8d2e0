import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { record, runs } from '../../support/runs.ts'
import { openThreads } from './fixture.ts'

const mebibyte = 2 ** 20
const rowsPerWrite = 8
const rowBytes = 16_384

test('the write-ahead log stays small while readers are never all idle', async () => {
  const database = openThreads({ mode: 'threads', readers: 2 })
  await database.execute('create table t (id integer primary key, payload blob)')
  const writes = runs(800, 8_000)
  let isOver = false
  let reads = 0
  let largest = 0
  const read = async (): Promise<void> => {
    while (!isOver) {
      await database.execute('select count(*), max(length(payload)) from t')
      reads++
    }
  }
  const readers = Promise.all(Array.from({ length: 6 }, read))
  const payload = Buffer.alloc(rowBytes, 'x')
  const tuples = Array.from({ length: rowsPerWrite }, () => '(?)').join(', ')
  const values = Array<Buffer>(rowsPerWrite).fill(payload)
  for (let write = 0; write < writes; write++) {
    await database.execute(`insert into t (payload) values ${tuples}`, values)
    if (write % 500 === 499) await database.execute('delete from t')
    largest = Math.max(largest, statSync(`${database.path}-wal`).size)
  }
  isOver = true
  await readers
  const written = writes * rowsPerWrite * rowBytes
  record('sqlite-threads-checkpoints', {
    writtenMiB: Math.round(written / mebibyte),
    largestMiB: Math.round(largest / mebibyte),
    reads,
  })
  expect(written).toBeGreaterThan(96 * mebibyte)
  // What was written since the last look, and before readers were held back.
  expect(largest).toBeLessThan(written)
  expect(largest).toBeLessThan(96 * mebibyte)
  await database.close()
})
