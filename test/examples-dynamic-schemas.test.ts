import Sqlite from 'better-sqlite3'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from './support/postgres.ts'

const main = fileURLToPath(new URL('../examples/dynamic-schemas/main.ts', import.meta.url))

const engines = {
  sqlite: {
    create: (directory: string) => join(directory, 'records.db'),
    tables: (path: string) => {
      const file = new Sqlite(path, { readonly: true })
      const rows = file.prepare(`select name from sqlite_schema where type = 'table'`).all()
      file.close()
      return rows.map((row) => (row as { name: string }).name)
    },
    ordersByIndex: true,
    isShared: true,
  },
  duckdb: {
    create: (directory: string) => join(directory, 'records.duckdb'),
    tables: undefined,
    // Its indexes find rows by a value, of which there are few, and do nothing else.
    ordersByIndex: false,
    // One process has the file to itself.
    isShared: false,
  },
  postgresql: {
    create: async () => (await postgres()).createDatabase(),
    tables: async (connectionString: string) => {
      const client = new Client({ connectionString })
      await client.connect()
      const { rows } = await client.query(
        `select tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
      )
      await client.end()
      return rows.map(({ tablename }) => tablename as string)
    },
    ordersByIndex: true,
    isShared: true,
  },
}

const ticket = {
  type: 'object',
  properties: {
    title: { type: 'string', maxLength: 200 },
    status: { enum: ['open', 'closed'], default: 'open' },
    price: { type: 'number', minimum: 0 },
    due: { type: 'string', format: 'date' },
    opened: { type: 'string', format: 'date-time' },
    urgent: { type: 'boolean', default: false },
    count: { type: 'integer' },
    views: { type: 'integer', 'x-db': { kind: 'bigint' } },
    tags: { type: 'array', items: { type: 'string' } },
    extra: { type: 'object' },
  },
  required: ['title'],
  indexes: [['status', 'price']],
}

describe.for(Object.keys(engines) as (keyof typeof engines)[])(
  'examples/dynamic-schemas on %s',
  (engine) => {
    const { create, tables, ordersByIndex, isShared } = engines[engine]
    const directory = mkdtempSync(join(tmpdir(), 'keelson-test-'))
    let database: string
    let server: Server

    beforeAll(async () => {
      database = await create(directory)
      server = await start(engine, database)
    })

    afterAll(async () => {
      await server.stop()
      rmSync(directory, { recursive: true })
    })

    test('makes a table of a JSON Schema, and answers alike when it is posted again', async () => {
      const first = await server.post('/schemas/ticket', ticket)
      expect(first).toMatchObject({ status: 201, body: { name: 'ticket' } })
      expect(first.body.fields.map(({ name }: { name: string }) => name)).toEqual([
        'id',
        ...Object.keys(ticket.properties),
      ])
      expect(await server.post('/schemas/ticket', ticket)).toEqual({ ...first, status: 200 })
      expect(await server.get('/schemas/ticket')).toEqual({ ...first, status: 200 })
      expect(await server.post('/schemas/ticket', { ...ticket, required: [] })).toMatchObject({
        status: 409,
        body: { code: 'OTHER_SCHEMA' },
      })
    })

    test('makes a table of rows that describe its fields', async () => {
      const rows = [
        { name: 'sku', type: 'text', required: 1, is_unique: 1 },
        { name: 'stock', type: 'int', required: true, default: 5 },
        { name: 'weight', type: 'float' },
      ]
      expect(await server.post('/schemas/product', rows)).toMatchObject({
        status: 201,
        body: {
          fields: [
            { name: 'id', kind: 'uuid' },
            { name: 'sku', kind: 'string', required: true },
            { name: 'stock', kind: 'integer' },
            { name: 'weight', kind: 'number', required: false },
          ],
        },
      })
      const { body: kept } = await server.post('/schemas/product/records', { sku: 'a-1' })
      expect(kept).toMatchObject({ sku: 'a-1', stock: 5, weight: null })
      expect(await server.post('/schemas/product/records', { sku: 'a-1' })).toMatchObject({
        status: 409,
        type: 'application/problem+json',
        body: { code: 'UNIQUE' },
      })
      expect((await server.get('/schemas/product/records?where.sku=a-1')).body.records).toEqual([
        kept,
      ])
    })

    test('gives every value back as it was posted', async () => {
      await server.post('/schemas/ticket', ticket)
      const record = {
        id: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
        title: `it's "ö" 😀`,
        status: 'closed',
        price: 0.1,
        due: '2026-02-28',
        opened: '2026-02-28T12:34:56.789Z',
        urgent: true,
        count: 9_007_199_254_740_991,
        views: '-9223372036854775808',
        tags: ['a', 'b"c', ''],
        extra: { a: [1, null, { b: 'x' }] },
      }
      expect(await server.post('/schemas/ticket/records', record)).toMatchObject({
        status: 201,
        body: record,
      })
      expect((await server.get(`/schemas/ticket/records/${record.id}`)).body).toEqual(record)
      const { body } = await server.post('/schemas/ticket/records', {
        title: 't',
        opened: '2026-03-01T00:00:00+02:00',
      })
      expect(body).toMatchObject({
        status: 'open',
        urgent: false,
        opened: '2026-02-28T22:00:00.000Z',
      })
      expect(body).toMatchObject({ price: null, due: null, tags: null, extra: null })
    })

    test('streams records in, inserting before the last has come, and counts what became of each', async () => {
      await server.post('/schemas/flight', {
        properties: {
          no: { type: 'integer' },
          gate: { type: 'string', maxLength: 20 },
          price: { type: 'number', minimum: 0 },
        },
        required: ['no'],
      })
      const total = 20_000
      const line = (no: number): string => {
        if (no % 5_000 === 1) return '{"no": 1'
        if (no % 5_000 === 2) return `{"no": "${no}"}`
        if (no % 5_000 === 3) return `{"gate": "A1"}`
        if (no % 5_000 === 4) return `{"no": ${no}, "speed": 1}`
        if (no === 7_777) return `{"no": ${no}, "price": -1}`
        // The same key as the one before.
        const id = no % 10 === 9 ? no - 1 : no
        return JSON.stringify({
          id: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
          no,
          gate: `g${no % 7}`,
        })
      }
      let isSeen = false
      const report = await server.upload('/schemas/flight/records', async function* () {
        for (let no = 0; no < total; no += 100) {
          yield Array.from({ length: 100 }, (_, at) => `${line(no + at)}\n`).join('')
          if (no !== 15_000) continue
          // The second part is not sent before some of the first can be read.
          while ((await server.get('/schemas/flight/records?limit=1')).body.records.length === 0)
            await sleep(20)
          isSeen = true
        }
      })
      expect(isSeen).toBe(true)
      expect(report).toMatchObject({
        status: 200,
        body: { attempted: total, inserted: 17_983, updated: 0, skipped: 2_000, rejected: 17 },
      })
      const { rejections } = report.body
      expect(rejections.map(({ row }: { row: number }) => row)).toEqual(
        [0, 5_000, 10_000, 15_000]
          .flatMap((at) => [at + 2, at + 3, at + 4, at + 5])
          .concat(7_778)
          .toSorted((a, b) => a - b),
      )
      expect(rejections[0]).toMatchObject({
        row: 2,
        code: 'INVALID_ROW',
        detail: expect.stringContaining('no JSON'),
      })
      expect(rejections.find(({ row }: { row: number }) => row === 7_778)).toMatchObject({
        code: 'CHECK',
      })

      const same = (conflict: string) =>
        server.upload(`/schemas/flight/records?conflict=${conflict}`, async function* () {
          yield `\n${line(0)}\r\n\n${line(20_000)}`
        })
      expect((await same('reject')).body).toMatchObject({
        attempted: 2,
        inserted: 1,
        rejected: 1,
        rejections: [{ row: 1, code: 'UNIQUE' }],
      })
      expect((await same('update')).body).toMatchObject({
        attempted: 2,
        inserted: 0,
        updated: 2,
        rejected: 0,
      })
    })

    test('keeps what it has inserted of an upload whose client goes away', async () => {
      await server.post('/schemas/cut', { properties: { no: { type: 'integer' } } })
      const gone = new AbortController()
      const uploading = fetch(`${server.url}/schemas/cut/records`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        signal: gone.signal,
        duplex: 'half',
        body: ReadableStream.from(endless(gone.signal)),
      } as RequestInit)
      while ((await server.get('/schemas/cut/records?limit=1')).body.records.length === 0)
        await sleep(20)
      gone.abort()
      await expect(uploading).rejects.toThrow('abort')
      expect((await server.get('/schemas/cut/records?limit=1')).body.records).toHaveLength(1)
      expect((await server.post('/schemas/cut/records', { no: 1 })).status).toBe(201)
    })

    test('serves filters and sorts on each field by an index', async () => {
      const fields = {
        text: 'v',
        whole: 7,
        real: 0.7,
        day: '2026-01-07',
        at: '2026-01-07T00:00:00.000Z',
        huge: '7',
        key: 'k7',
      }
      await server.post('/schemas/wide', {
        properties: {
          text: { type: 'string' },
          whole: { type: 'integer' },
          real: { type: 'number' },
          day: { type: 'string', format: 'date' },
          at: { type: 'string', format: 'date-time' },
          huge: { type: 'integer', 'x-db': { kind: 'bigint' } },
          key: { type: 'string', maxLength: 30, 'x-db': { unique: true } },
        },
      })
      const records = Array.from({ length: 5_000 }, (_, at) => ({
        text: `v${at}`,
        whole: at,
        real: at / 10,
        day: new Date(at * 86_400_000).toISOString().slice(0, 10),
        at: new Date(at * 86_400_000).toISOString(),
        huge: String(at),
        key: `k${at}`,
      }))
      const { body } = await server.upload('/schemas/wide/records', async function* () {
        yield records.map((record) => JSON.stringify(record)).join('\n')
      })
      expect(body).toMatchObject({ inserted: 5_000 })
      for (const field of Object.keys(fields) as (keyof typeof fields)[]) {
        const { [field]: wanted } = records[1_234]!
        const found = await server.get(`/schemas/wide/records?where.${field}=${wanted}&explain=1`)
        expect(found.body.records).toMatchObject([records[1_234]!])
        const declared = (await server.get('/schemas/wide')).body.indexes.some(
          ({ fields: [first] }: { fields: string[] }) => first === field,
        )
        expect([field, found.body.plans[0].usesIndex]).toEqual([field, declared])
        expect(declared || !ordersByIndex).toBe(true)

        const sorted = await server.get(`/schemas/wide/records?sort=-${field}&limit=3&explain=1`)
        const values = records.map((record) => record[field])
        const descending =
          typeof values[0] === 'number' || field === 'huge'
            ? values.toSorted((a, b) => Number(b) - Number(a))
            : values.toSorted((a, b) => (a < b ? 1 : -1))
        expect(sorted.body.records.map((record: typeof fields) => record[field])).toEqual(
          descending.slice(0, 3),
        )
        expect([field, sorted.body.plans[0].usesIndex]).toEqual([field, ordersByIndex])
      }
      const between = await server.get(
        '/schemas/wide/records?where.whole.gte=10&where.whole.lt=13&sort=whole&explain=1',
      )
      expect(between.body.records).toMatchObject([{ whole: 10 }, { whole: 11 }, { whole: 12 }])
      expect(between.body.plans[0].usesIndex).toBe(ordersByIndex)
      const some = await server.get('/schemas/wide/records?where.key.in=k1,k2,none&sort=key')
      expect(some.body.records).toMatchObject([{ key: 'k1' }, { key: 'k2' }])
    })

    test('says why a filter is refused that no index serves', async () => {
      await server.post('/schemas/ticket', ticket)
      expect(await server.get('/schemas/ticket/records?where.tags=a')).toMatchObject({
        status: 422,
        body: { code: 'NOT_SERVED', field: 'tags' },
      })
    })

    test('pages through all records once, those without a value last', async () => {
      await server.post('/schemas/paged', { properties: { rank: { type: 'integer' } } })
      await server.upload('/schemas/paged/records', async function* () {
        for (let at = 0; at < 60; at++)
          yield `${JSON.stringify(at % 5 === 0 ? {} : { rank: at % 7 })}\n`
      })
      for (const sort of ['rank', '-rank', 'id', '-id']) {
        const seen: { id: string; rank: number | null }[] = []
        let after = ''
        do {
          const { body } = await server.get(`/schemas/paged/records?sort=${sort}&limit=7${after}`)
          seen.push(...body.records)
          after = body.next === null ? '' : `&after=${body.next}`
        } while (after !== '')
        expect(new Set(seen.map(({ id }) => id)).size).toBe(60)
        expect(seen).toHaveLength(60)
        const ranks = seen.flatMap(({ rank }) => rank ?? [])
        if (sort === 'rank') expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
        if (sort === '-rank') expect(ranks).toEqual(ranks.toSorted((a, b) => b - a))
        if (sort.endsWith('rank'))
          expect(seen.slice(48).every(({ rank }) => rank === null)).toBe(true)
        else
          expect(seen.map(({ id }) => id)).toEqual(
            sort === 'id'
              ? seen.map(({ id }) => id).toSorted()
              : seen
                  .map(({ id }) => id)
                  .toSorted()
                  .toReversed(),
          )
      }
    })

    test('refuses what is hostile with a problem, and makes nothing of it', async () => {
      await server.post('/schemas/ticket', ticket)
      const names = [
        'Ticket',
        'a"b',
        `a'; drop table records_ticket; --`,
        'ticket ',
        'a'.repeat(41),
        '1a',
        '_a',
        'ä',
        '\0',
        '..',
        'sqlite_x"',
      ]
      for (const name of names) {
        const path = `/schemas/${encodeURIComponent(name)}`
        for (const answer of [
          await server.post(path, ticket),
          await server.get(path),
          await server.get(`${path}/records`),
          await server.post(`${path}/records`, {}),
        ])
          expectProblem(answer, name)
      }
      const fields = [
        'a"b',
        `a'); drop table records_ticket; --`,
        '',
        '1a',
        '_a',
        '__proto__',
        'ä',
        'a b',
        'a\0',
        'a'.repeat(49),
        'id"',
      ]
      for (const field of fields) {
        const properties = JSON.parse(`{${JSON.stringify(field)}: {"type": "string"}}`)
        expectProblem(await server.post('/schemas/hostile', { properties }), field)
        expectProblem(await server.post('/schemas/hostile', [{ name: field, type: 'text' }]), field)
        expectProblem(
          await server.get(
            `/schemas/ticket/records?${new URLSearchParams({ [`where.${field}`]: '1' })}`,
          ),
          field,
        )
        expectProblem(
          await server.get(`/schemas/ticket/records?${new URLSearchParams({ sort: field })}`),
          field,
          field === '' ? 400 : undefined,
        )
      }
      const schemas = [
        null,
        1,
        'text',
        [],
        [null],
        {},
        { properties: {}, primaryKey: 'title' },
        { properties: { a: { type: 'string' }, A: { type: 'string' } } },
        {
          properties: {
            a: {
              type: 'string',
              'x-db': { type: { sqlite: 'text', duckdb: 'varchar', postgresql: 'text' } },
            },
          },
        },
        {
          properties: {
            a: {
              type: 'string',
              'x-db': { references: { table: 'schema_registry', column: 'name' } },
            },
          },
        },
        { properties: { id: { type: 'integer', 'x-db': { identity: true } } } },
        { properties: { id: { type: 'boolean' } } },
        { properties: { a: { type: 'nothing' } } },
        { properties: { a: { type: 'string', 'x-db': { unknown: 1 } } } },
        {
          properties: Object.fromEntries(
            Array.from({ length: 65 }, (_, at) => [`f${at}`, { type: 'string' }]),
          ),
        },
        { properties: { a: { type: 'string' } }, indexes: ['b'] },
        [{ name: 'a', type: 'text', db_type: `text); drop table records_ticket; --` }],
        [{ name: 'a', type: 'text', default: 1 }],
      ]
      for (const schema of schemas)
        expectProblem(await server.post('/schemas/hostile', schema), schema)

      const records = [
        null,
        [],
        'text',
        {},
        { title: 1 },
        { title: 'a\0b' },
        { title: 'a'.repeat(201) },
        { title: 't', status: `open'; drop table records_ticket; --` },
        { title: 't', price: -1 },
        { title: 't', price: 'NaN' },
        { title: 't', due: '2026-02-30' },
        { title: 't', opened: 'now()' },
        { title: 't', count: 2 ** 53 },
        { title: 't', views: '9223372036854775808' },
        { title: 't', tags: 'a' },
        { title: 't', nothing: 1 },
        { title: 't', id: `' or 1=1 --` },
        JSON.parse('{"title": "t", "__proto__": {"price": 1}}'),
      ]
      for (const record of records)
        expectProblem(await server.post('/schemas/ticket/records', record), record)
      for (const text of [
        '',
        '{',
        '{"title": "\\ud800"}',
        Buffer.from('{"title": "\xff"}', 'latin1'),
      ])
        expectProblem(await server.send('/schemas/ticket/records', text, 'application/json'), text)
      expectProblem(await server.send('/schemas/ticket/records', '<a/>', 'text/xml'), 'xml', 415)
      expectProblem(
        await server.send(
          '/schemas/ticket/records',
          JSON.stringify({ title: 'a'.repeat(1_000_001) }),
          'application/json',
        ),
        'large',
        413,
      )
      const long = `{"title": "a"}\n"${'a'.repeat(2_000_000)}"\n{"title": "b"}`
      expect(
        await server.send('/schemas/ticket/records', long, 'application/x-ndjson'),
      ).toMatchObject({
        body: {
          attempted: 3,
          inserted: 2,
          rejected: 1,
          rejections: [{ row: 2, detail: expect.stringContaining('more than 1000000 bytes') }],
        },
      })
      const many = `{"title": "a"}\n`.repeat(300_000)
      expectProblem(
        await server.send('/schemas/none/records', many, 'application/x-ndjson'),
        'none',
        404,
      )
      const queries = [
        'where.price=abc',
        'where.price=',
        'where.count=1.5',
        `where.count=1;drop table records_ticket`,
        'where.price.like=1',
        'where.price.gt.gt=1',
        'where.title=%00',
        'where.urgent=2',
        'limit=0',
        'limit=1001',
        'limit=-1',
        'limit=1e3',
        'after=abc',
        `after=${Buffer.from('["\'", "x"]').toString('base64url')}`,
        `after=${Buffer.from('{"a": 1}').toString('base64url')}`,
        'order=title',
        'sort=--title',
        'sort=title,count',
        'sort=title&sort=count',
        'limit=1&limit=2',
        'explain=true',
      ]
      for (const query of queries)
        expectProblem(await server.get(`/schemas/ticket/records?${query}`), query, 400)
      expectProblem(await server.get('/nothing'), 'nothing', 404)
      expectProblem(
        await server.upload('/schemas/ticket/records?conflict=drop', async function* () {
          yield ''
        }),
        'conflict',
        400,
      )
      expect((await server.get('/schemas')).body.schemas).not.toContain('hostile')
    })

    test('takes names that mean something to JavaScript and to SQL', async () => {
      const words = [
        'constructor',
        'toString',
        'hasOwnProperty',
        'select',
        'order',
        'limit',
        'table',
        'where',
        'sort',
        'explain',
        'after',
      ]
      await server.post('/schemas/select', {
        properties: Object.fromEntries(words.map((word) => [word, { type: 'string' }])),
      })
      const record = Object.fromEntries(words.map((word) => [word, `a ${word}`]))
      expect(await server.post('/schemas/select/records', record)).toMatchObject({
        status: 201,
        body: record,
      })
      expect((await server.post('/schemas/select/records', {})).body).toMatchObject(
        Object.fromEntries(words.map((word) => [word, null])),
      )
      for (const word of words) {
        const { body } = await server.get(
          `/schemas/select/records?where.${word}=a+${word}&sort=${word}`,
        )
        expect(body.records).toMatchObject([record])
      }
      const { body } = await server.upload('/schemas/select/records', async function* () {
        yield '{}\n{"constructor": "x"}'
      })
      expect(body).toMatchObject({ attempted: 2, inserted: 2 })
    })

    test('makes one table when a schema is posted many times at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => server.post('/schemas/popular', ticket)),
      )
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        ...Array.from({ length: 9 }, () => 200),
        201,
      ])
    })

    test.runIf(isShared)(
      'makes one table when two processes are sent the same schema at once',
      async () => {
        const other = await start(engine, database)
        onTestFinished(() => other.stop().then(() => {}))
        for (const name of ['shared_a', 'shared_b', 'shared_c']) {
          const answers = await Promise.all(
            [server, other].map((each) => each.post(`/schemas/${name}`, ticket)),
          )
          expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 201])
          await Promise.all(
            [server, other].map((each) => each.post(`/schemas/${name}/records`, { title: 't' })),
          )
          expect((await other.get(`/schemas/${name}/records`)).body.records).toHaveLength(2)
        }
      },
    )

    test('shows what its queries took', async () => {
      const { body } = await server.get('/_timing/stats.json')
      expect(body.queries.length).toBeGreaterThan(5)
      expect((await fetch(`${server.url}/_timing`)).headers.get('content-type')).toContain(
        'text/html',
      )
      expect((await server.get('/_timing/health')).status).toBe(200)
    })

    test('keeps everything over a restart, and has only the tables that were asked for', async () => {
      await server.post('/schemas/ticket', ticket)
      const { body: kept } = await server.post('/schemas/ticket/records', {
        title: 'kept',
        extra: { b: 1, a: 2 },
      })
      const { schemas } = (await server.get('/schemas')).body
      const shown = await server.get('/schemas/ticket')
      expect(await server.stop()).toEqual({ code: 0, stderr: '' })
      if (tables !== undefined) {
        const found = (await tables(database)).filter((name) => !/^(keelson|sqlite)_/.test(name))
        const wanted = ['schema_registry', ...schemas.map((name: string) => `records_${name}`)]
        expect(new Set(found)).toEqual(new Set(wanted))
        expect(found).toHaveLength(wanted.length)
      }
      server = await start(engine, database)
      expect(await server.get('/schemas/ticket')).toEqual(shown)
      expect((await server.get(`/schemas/ticket/records/${kept.id}`)).body).toEqual(kept)
      expect((await server.post('/schemas/ticket', ticket)).status).toBe(200)
      expect((await server.get('/schemas')).body.schemas).toEqual(schemas)
    })
  },
)

test('examples/dynamic-schemas says which engines there are when it is given another one', () => {
  const { status, stderr } = spawnSync(process.execPath, [main, '--engine', 'oracle'], {
    encoding: 'utf8',
  })
  expect(status).toBe(1)
  expect(stderr).toMatch(/^--engine is one of sqlite, .*, and not "oracle"\. /)
})

async function* endless(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  while (!signal.aborted) {
    yield Buffer.from('{"no":1}\n'.repeat(1_000))
    await sleep(5)
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: any
}

type Server = Awaited<ReturnType<typeof start>>

/** Starts the program, and speaks HTTP with it. */
async function start(engine: string, database: string) {
  const child = spawn(
    process.execPath,
    [main, '--engine', engine, '--database', database, '--port', '0'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let stderr = ''
  child.stderr.on('data', (data) => (stderr += String(data)))
  const url = await listening(child, () => stderr)
  const send = async (
    path: string,
    body: string | Buffer | ReadableStream,
    type: string,
  ): Promise<Answer> =>
    answerOf(
      await fetch(url + path, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
        duplex: 'half',
      } as RequestInit),
    )
  return {
    url,
    send,
    get: async (path: string) => answerOf(await fetch(url + path)),
    post: (path: string, body: unknown) => send(path, JSON.stringify(body), 'application/json'),
    upload: (path: string, texts: () => AsyncIterable<string>) =>
      send(
        path,
        ReadableStream.from(texts()).pipeThrough(new TextEncoderStream()),
        'application/x-ndjson',
      ),
    async stop() {
      if (child.exitCode === null) {
        const exit = once(child, 'close')
        child.kill('SIGTERM')
        await exit
      }
      return { code: child.exitCode, stderr }
    },
  }
}

async function listening(child: ChildProcess, stderr: () => string): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const url = /http:\/\/[\d.:]+/.exec(line)?.[0]
    if (url !== undefined) {
      child.stdout!.resume()
      return url
    }
  }
  throw new Error(stderr())
}

async function answerOf(response: Response): Promise<Answer> {
  return {
    status: response.status,
    type: response.headers.get('content-type')!.split(';')[0]!,
    body: await response.json(),
  }
}

function expectProblem({ status, type, body }: Answer, what: unknown, expected?: number): void {
  const sent = JSON.stringify(what)
  expect({ sent, type }).toEqual({ sent, type: 'application/problem+json' })
  expect({ sent, isClients: status >= 400 && status < 500, body }).toMatchObject({
    sent,
    isClients: true,
  })
  if (expected !== undefined) expect({ sent, status }).toEqual({ sent, status: expected })
  expect(body).toMatchObject({
    status,
    code: expect.any(String),
    detail: expect.stringMatching(/\w+/),
  })
}
