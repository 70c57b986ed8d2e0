import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Application, application, hasScript, inTerminal, keelson } from './keelson.ts'

async function work({ db }: Application, selects: number): Promise<void> {
  const name = `item ${performance.now()}`
  await db
    .insertInto('item')
    .values({ id: Math.round(performance.now() * 1000), name })
    .execute()
  for (let id = 0; id < selects; id++)
    await db.selectFrom('item').selectAll().where('id', '=', id).execute()
}

describe('keelson top, once', () => {
  test('prints everything since the application began where the output is no terminal', async () => {
    const app = await application()
    await work(app, 40)
    const { code, stdout, stderr } = await keelson('top', app.url)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`keelson top   ${app.url}/stats.json`)
    expect(stdout).toMatch(/no errors {3}42 queries since the beginning\n/)
    expect(stdout).toContain('sqlite   0 running   transactions: 0 open')
    expect(stdout).toMatch(/ {2}40 .* select \* from "item" where "id" = \?\n/)
    expect(stdout).toMatch(/ {3}1 .* insert into "item" \("id", "name"\) values \(\?\+\)\n/)
    // Nothing that only a terminal understands.
    expect(stdout).not.toContain('\u001b')
  })

  test('prints what happens within an interval', async () => {
    const app = await application()
    await work(app, 1_000)
    const printed = keelson('top', app.url, '--once', '--interval', '2')
    const isPrinted = printed.then(() => true)
    // More are sent than the interval can see, whenever it begins.
    for (let sent = 0; (await Promise.race([isPrinted, setTimeout(20)])) !== true; sent++)
      await app.db.selectFrom('item').select('name').where('id', '=', sent).execute()
    const { code, stdout } = await printed
    expect(code).toBe(0)
    expect(stdout).toMatch(/ within 2\.\d s\n/)
    expect(stdout).toContain('select "name" from "item" where "id" = ?')
    expect(stdout).not.toContain('select * from "item"')
  })

  test('prints JSON, sorted and limited as asked', async () => {
    const app = await application()
    await work(app, 10)
    await app.db.insertInto('item').values({ id: 1, name: 'a' }).execute()
    await app.db.insertInto('item').values({ id: 1, name: 'a' }).execute().catch(String)
    const { code, stdout } = await keelson('top', app.url, '--json', '--sort', 'calls', '-n', '2')
    expect(code).toBe(0)
    const { queries, totals, databases, findings } = JSON.parse(stdout)
    expect(queries).toMatchObject([
      { calls: 10, errors: 0, summary: 'SELECT item', scans: [] },
      { calls: 3, errors: 1, summary: 'INSERT item' },
    ])
    expect(totals).toMatchObject({ calls: 14, errors: 1 })
    expect(totals.p50Ms).toBeGreaterThan(0)
    expect(totals.p99Ms).toBeGreaterThanOrEqual(totals.p95Ms)
    expect(databases).toMatchObject([{ name: 'sqlite', running: 0 }])
    expect(findings).toEqual([])
  })

  test('shows what should be done about it', async () => {
    const app = await application({ repeats: 3, advice: () => ['create index item_name'] })
    await app.timing.scope('GET /items', () => work(app, 5))
    const { stdout } = await keelson('top', app.url)
    expect(stdout).toContain('⚠ N+1: SELECT item ran 3 times in "GET /items"')
    expect(stdout).toContain('→ create index item_name')
  })

  test('sends no control character of a statement to the terminal', async () => {
    const app = await application()
    const hostile = 'select 1 as "\u001b[2Jgone\u202e"'
    const { sql } = await import('kysely')
    await sql.raw(hostile).execute(app.db)
    const { stdout } = await keelson('top', app.url)
    expect(stdout).toContain('[2Jgone')
    for (const control of ['\u001b', '\u202e']) expect(stdout).not.toContain(control)
  })
})

describe('keelson top, where there is no timing', () => {
  test('says that nobody answers', async () => {
    const app = await application()
    await app.stop()
    const { code, stdout, stderr } = await keelson('top', app.url)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      `error UNREACHABLE: ${app.url}/stats.json cannot be reached (ECONNREFUSED). Is the application running, at that host and port?\n`,
    )
  })

  test('says that it is something else', async () => {
    const other = createServer((request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(request.url!.startsWith('/list') ? '[]' : '{"queries":[]}')
    })
    await once(other.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    for (const path of ['', '/list/', '/other?x=1#y']) {
      const { code, stderr } = await keelson('top', `127.0.0.1:${port}${path}`)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^error NOT_A_TIMING_ENDPOINT: .* answers 200 with application\/json,/)
      expect(stderr).toContain('timingHandler(timing), with its basePath')
    }
    const app = await application()
    const { stderr } = await keelson('top', app.url.replace('/timing', ''))
    expect(stderr).toContain('answers 404 with text/plain')
  })

  test('refuses what is no address', async () => {
    for (const url of ['ftp://localhost', 'http://', 'a b']) {
      const { code, stderr } = await keelson('top', url)
      expect(code).toBe(1)
      expect(stderr).toContain(`error INVALID_URL: "${url}" is no address of an application.`)
    }
  })

  test('says who asks by a header, or by the address, and never prints the password', async () => {
    const basic = `Basic ${Buffer.from('ada:p w').toString('base64')}`
    const app = await application({}, (given) => given === 'Bearer 7' || given === basic)
    const refused = await keelson('top', app.url)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('error REFUSED:')
    expect((await keelson('top', app.url, '-H', 'Authorization: Bearer 7')).code).toBe(0)
    const { code, stdout } = await keelson('top', app.url.replace('://', '://ada:p%20w@'))
    expect(code).toBe(0)
    expect(stdout).not.toContain('p%20w')
  })
})

const shown = '\u001b[?1049h\u001b[?25l'
const restored = '\u001b[?7h\u001b[?25h\u001b[?1049l'

describe.skipIf(!hasScript)('keelson top in a terminal', () => {
  test('shows what happens, sorts, pauses, and quits with the terminal as it was', async () => {
    const app = await application()
    await work(app, 20)
    const terminal = inTerminal('top', app.url, '--interval', '0.2')
    await terminal.shows('22 queries since the beginning')
    await terminal.shows('No query within the last')
    await work(app, 30)
    await terminal.shows('select * from "item" where "id" = ?')
    terminal.press('t')
    await terminal.shows('53 queries since the beginning')
    terminal.press('s')
    await terminal.shows('sort by: calls')
    terminal.press('p')
    await terminal.shows(', paused')
    await terminal.shows('p go on')
    await work(app, 1)
    terminal.press('p')
    await terminal.shows('55 queries since the beginning')
    terminal.press('q')
    const { code, written } = await terminal.ended()
    expect(code).toBe(0)
    expect(written.indexOf(shown)).toBeGreaterThan(-1)
    expect(written.trimEnd().endsWith(restored)).toBe(true)
  })

  test('shows no more lines than the terminal has', async () => {
    const app = await application()
    for (let wide = 1; wide <= 60; wide++)
      await app.db
        .selectFrom('item')
        .select((eb) => Array.from({ length: wide }, (_, at) => eb.ref('id').as(`id${at}`)))
        .execute()
    const terminal = inTerminal('top', app.url)
    await terminal.shows('… and 38 more')
    terminal.press('q')
    const { written } = await terminal.ended()
    const [, first] = written.split('\u001b[?2026h\u001b[H')
    expect(first!.split('\r\n').length).toBeLessThanOrEqual(30)
  })

  test('says that the application is gone, and goes on when it is back', async () => {
    const app = await application()
    const terminal = inTerminal('top', app.url, '-i', '0.1')
    await terminal.shows('1 queries since the beginning')
    await app.stop()
    await terminal.shows('cannot be reached')
    await app.start()
    await terminal.shows('No query within the last')
    terminal.press('\u0003')
    expect((await terminal.ended()).code).toBe(0)
  })

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'gives the cursor back when %s ends it',
    async (signal) => {
      const app = await application()
      const terminal = inTerminal('top', app.url)
      await terminal.shows('since the beginning')
      await terminal.kill(signal)
      const { code, written } = await terminal.ended()
      expect(code).toBe(128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal])
      expect(written).toContain(restored)
    },
  )

  test('does not touch the screen when there is nothing to show', async () => {
    const app = await application()
    await app.stop()
    const { code, written } = await inTerminal('top', app.url).ended()
    expect(code).toBe(1)
    expect(written).toContain('UNREACHABLE')
    expect(written).not.toContain('\u001b[?1049h')
  })
})
