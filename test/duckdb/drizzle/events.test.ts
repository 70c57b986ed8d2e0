import { tracingChannel } from 'node:diagnostics_channel'
import { stream } from '@keelson/duckdb/drizzle'
import { sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase, users } from './fixture.ts'

test('statements and streams are published as Drizzle’s, in and outside transactions', async () => {
  const db = await openDatabase()
  const seen: string[] = []
  const channel = tracingChannel<unknown, { source: string; sql: string }>('keelson:query')
  const note = (event: { source: string; sql: string }): void =>
    void seen.push(`${event.source}: ${event.sql}`)
  channel.start.subscribe(note as (event: unknown) => void)
  onTestFinished(() => {
    channel.start.unsubscribe(note as (event: unknown) => void)
  })

  await db.execute(sql`select 1`)
  for await (const _ of stream(db, db.select({ id: users.id }).from(users))) void _
  await db.transaction((tx) => tx.execute(sql`select 2`))
  expect(seen).toEqual([
    'drizzle: select 1',
    'drizzle: select "id" from "users"',
    'drizzle: select 2',
  ])
})
