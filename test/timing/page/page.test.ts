// The page in a real browser: Debian's Chromium, driven by playwright-core, which brings none.
import { adviceLines, type IndexAdvice } from '@keelson/indexes'
import { adviseIndexes } from '@keelson/indexes/kysely'
import { createTiming, timingHandler, type TimingOptions } from '@keelson/timing'
import { withTiming } from '@keelson/timing/kysely'
import { Kysely, sql } from 'kysely'
import { type Browser, chromium as playwright, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { rejection } from '../../support/rejection.ts'
import { sqliteKysely, type Tables } from '../../transactions/kysely/engines.ts'
import { chromium, serve } from './browser.ts'

const title =
  chromium === undefined
    ? 'the page (skipped: there is no Chromium; install it, or say in CHROMIUM where it is)'
    : 'the page'

/** The page asks every two seconds. */
const patience = { timeout: 20_000, interval: 100 }

describe.skipIf(chromium === undefined)(title, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await playwright.launch({ executablePath: chromium!, args: ['--no-sandbox'] })
  })
  afterAll(() => browser.close())

  async function open(options: TimingOptions = {}) {
    const timing = createTiming(options)
    const db = new Kysely<Tables>({ dialect: withTiming(await sqliteKysely.dialect(), timing) })
    onTestFinished(() => db.destroy())
    await sql`create table item (id integer primary key, name text)`.execute(db)
    const address = await serve(timingHandler(timing, { basePath: '/timing' }))
    return { timing, db, address: `${address}/timing` }
  }

  /** Opens it, and remembers everything that goes wrong in it. */
  async function visit(address: string): Promise<{ page: Page; problems: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    onTestFinished(() => page.close())
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
    })
    page.on('dialog', (dialog) => {
      problems.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(new URL(address).origin) && !request.url().startsWith('data:'))
        problems.push(`request to ${request.url()}`)
    })
    await page.goto(address)
    // Its policy forbids to evaluate anything in it.
    await expect.poll(() => page.locator('#totals').innerText(), patience).not.toBe('Loading')
    return { page, problems }
  }

  const texts = (page: Page, selector: string): Promise<string[]> =>
    page.locator(selector).allInnerTexts()

  test('renders without a query', async () => {
    const { timing, address } = await open()
    timing.reset()
    const { page, problems } = await visit(address)
    expect(await page.locator('#empty').isVisible()).toBe(true)
    expect(await texts(page, '#queries tr')).toEqual([])
    expect(await page.locator('.card h2').innerText()).toBe('sqlite')
    expect(problems).toEqual([])
  })

  test('renders 500 fingerprints, sorts them by any column, and filters them', async () => {
    const { db, timing, address } = await open()
    timing.reset()
    for (let index = 0; index < 500; index++)
      for (let times = 0; times <= index % 7; times++)
        await sql.raw(`select 1 as column_${index}`).execute(db)
    const { page, problems } = await visit(`${address}/`)
    expect(await page.locator('#queries tr').count()).toBe(500)
    const sortedBy = async (name: string): Promise<number[]> => {
      await page.getByRole('button', { name, exact: true }).click()
      return (await texts(page, '#queries tr td:nth-child(2)')).map(Number)
    }
    const descending = await sortedBy('calls')
    expect(descending).toEqual(descending.toSorted((one, other) => other - one))
    expect(await page.locator('th[aria-sort]').getAttribute('aria-sort')).toBe('descending')
    const ascending = await sortedBy('calls')
    expect(ascending).toEqual(descending.toReversed().toSorted((one, other) => one - other))
    await page.getByLabel('Filter queries').fill('column_49')
    expect(await page.locator('#queries tr').count()).toBe(11)
    expect(await page.locator('#queries polyline').count()).toBe(11)
    expect(problems).toEqual([])
  })

  test('refreshes by itself, until that is switched off', async () => {
    const { db, timing, address } = await open()
    timing.reset()
    const { page } = await visit(address)
    await sql`select 1 as late`.execute(db)
    await expect.poll(() => page.locator('#queries').innerText(), patience).toContain('late')
    await page.getByLabel('refresh every 2 s').uncheck()
    await sql`select 1 as later`.execute(db)
    await page.waitForTimeout(2_500)
    expect((await texts(page, '#queries')).join()).not.toContain('later')
  })

  test('shows findings, plans, gauges and transactions', async () => {
    const { db, timing, address } = await open({ plans: { minCalls: 3, scanMs: 0.000_1 } })
    await db
      .insertInto('item')
      .values([
        { id: 1, name: 'a' },
        { id: 2, name: 'b' },
      ])
      .execute()
    await timing.scope('GET /items', async () => {
      for (let id = 0; id < 6; id++)
        await db.selectFrom('item').selectAll().where('id', '=', id).execute()
    })
    for (let times = 0; times < 4; times++)
      await db.selectFrom('item').selectAll().where('name', '=', 'a').execute()
    await timing.settled()
    await db.selectFrom('item').selectAll().where('name', '=', 'a').execute()
    await db.transaction().execute((trx) => trx.selectFrom('item').selectAll().execute())
    const { page, problems } = await visit(address)
    const findings = (await texts(page, '#findings p.warn')).join('\n')
    expect(findings).toContain('N+1: SELECT item ran 5 times in "GET /items"')
    expect(findings).toContain('SELECT item scans item')
    expect(await texts(page, 'td.scan')).toEqual(['SCAN item'])
    expect((await texts(page, '.card')).join()).toContain('1 committed')
    expect(problems).toEqual([])
    const screenshot = process.env['KEELSON_SCREENSHOT']
    if (screenshot === undefined) return
    // For the README: whose machine made it is nobody's business.
    const shorten = (lines: { textContent: string | null }[], root: string): void => {
      for (const line of lines) line.textContent = (line.textContent ?? '').replace(root, '')
    }
    await page.locator('#findings p').evaluateAll(shorten as never, `${process.cwd()}/`)
    await page.setViewportSize({ width: 1280, height: 560 })
    await page.screenshot({ path: screenshot })
  })

  test('survives hostile SQL, which stays text', async () => {
    const { db, timing, address } = await open()
    const hostile = [
      'select 1 as "<img src=x onerror=alert(1)>"',
      'select 1 as "</script><script>alert(2)</script>"',
      'select 1 as "\u2028${alert(3)}`"',
      `select 1 as "'; alert(4); '"`,
    ]
    for (const text of hostile) await sql.raw(text).execute(db)
    await timing.scope('<b onmouseover=alert(5)>', async () => {
      for (let times = 0; times < 6; times++) await sql.raw('select * from item').execute(db)
    })
    await rejection(sql.raw('select * from "<svg/onload=alert(6)>"').execute(db))
    const { page, problems } = await visit(address)
    await page.waitForTimeout(300)
    expect(problems).toEqual([])
    expect(await page.locator('main img, main script, main b').count()).toBe(0)
    const shown = (await texts(page, '#queries td:last-child')).join('\n')
    expect(shown).toContain('<img src=x onerror=alert(1)>')
    expect(shown).toContain('</script><script>alert(2)</script>')
  })

  test('shows advice on indexes, whose names and SQL stay text', async () => {
    let advice: IndexAdvice | undefined
    const { db, timing, address } = await open({
      advice: () => (advice === undefined ? [] : adviceLines(advice)),
    })
    const hostile = `<img src=x onerror=alert(1)>"'; alert(2) //\u2028</script><script>alert(3)</script>`
    const name = sql.id(hostile)
    await sql`create table ${name} (id integer primary key, ${name} text)`.execute(db)
    await sql`create index ${sql.id(`${hostile} unused`)} on ${name} (${name})`.execute(db)
    await sql`with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000)
      insert into ${name} select i, 'u' || i from n`.execute(db)
    await sql`create table orders (id integer primary key, ${name} text)`.execute(db)
    await sql`insert into orders select * from ${name}`.execute(db)
    timing.reset()
    for (let call = 0; call < 20; call++)
      await sql`select * from orders where ${name} = ${`u${call}`}`.execute(db)
    advice = await adviseIndexes(db, timing.workload())
    expect(advice.proposals).toHaveLength(1)
    advice = {
      ...advice,
      drops: [{ table: hostile, index: hostile, code: 'UNUSED', why: hostile }],
    }
    const { page, problems } = await visit(address)
    await page.waitForTimeout(300)
    const shown = (await texts(page, '#findings p')).join('\n')
    expect(shown).toContain(`(${'"'}<img src=x onerror=alert(1)>""'; alert(2) //`)
    expect(shown).toMatch(/: saves \d+ % of the time of all queries, for 1 query, takes/)
    expect(shown).toContain('The index <img src=x onerror=alert(1)>')
    expect(await page.locator('main img, main script, main b').count()).toBe(0)
    expect(problems).toEqual([])
    const screenshot = process.env['KEELSON_ADVICE_SCREENSHOT']
    if (screenshot !== undefined) await page.screenshot({ path: screenshot })
  })

  test('says so when it cannot load', async () => {
    const { timing } = await open()
    let isBroken = false
    const handler = timingHandler(timing)
    const address = await serve(async (request) =>
      isBroken && request.url.endsWith('.json')
        ? new Response('no', { status: 500 })
        : handler(request),
    )
    const page = await browser.newPage()
    onTestFinished(() => page.close())
    await page.goto(address)
    await expect.poll(() => page.locator('#totals').innerText(), patience).toContain('queries')
    isBroken = true
    await expect.poll(() => page.locator('#totals').innerText(), patience).toContain('Cannot load')
  })
})
