import { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import { stream } from '@keelson/sqlite/drizzle'
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

  await db.run(sql`select 1`)
  for await (const _ of stream(db, db.select({ id: users.id }).from(users))) void _
  await db.transaction((tx) => tx.run(sql`select 2`))
  await db.batch([db.run(sql`select 3`)])
  expect(seen).toEqual([
    'drizzle: select 1',
    'drizzle: select "id" from "users"',
    'drizzle: select 2',
    'drizzle: select 3',
  ])
})

test('a statement that waited for a nested transaction runs in the async context that asked for it', async () => {
  const db = await openDatabase()
  const context = new AsyncLocalStorage<string>()
  const seen: string[] = []
  const { start } = tracingChannel<unknown, { sql: string }>('keelson:query')
  const note = (event: unknown): void =>
    void seen.push(`${context.getStore()}: ${(event as { sql: string }).sql}`)
  start.subscribe(note)
  onTestFinished(() => {
    start.unsubscribe(note)
  })
  await db.transaction((tx) =>
    Promise.all([
      context.run('nested', () =>
        tx.transaction(async (tx2) => void (await tx2.run(sql`select 1`))),
      ),
      context.run('waiting', () => tx.run(sql`select 2`).execute()),
    ]),
  )
  expect(seen).toEqual(['nested: select 1', 'waiting: select 2'])
})
