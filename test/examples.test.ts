import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'

const repository = new URL('../', import.meta.url)

describe('examples/quickstart.ts', () => {
  let run: { code: number | null; stdout: string; stderr: string; left: string[] }
  let rows: string[][]

  beforeAll(async () => {
    const { child, temporary } = start('examples/quickstart.ts')
    const [stdout, stderr, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      exitCode(child),
    ])
    run = { code, stdout: stripVTControlCharacters(stdout), stderr, left: readdirSync(temporary) }
    rmSync(temporary, { recursive: true })
    rows = tableRows(run.stdout)
  })

  test('succeeds, says nothing on stderr and leaves no file behind', () => {
    expect(run).toMatchObject({ code: 0, stderr: '', left: [] })
  })

  test('shows settings that SQLite confirms', () => {
    expect(run.stdout).toMatch(/SQLite 3\.\d+\.\d+ says/)
    expect(rows).toContainEqual(['journal_mode', 'wal', expect.any(String)])
    expect(rows).toContainEqual(['foreign_keys', '1', expect.any(String)])
    expect(rows).toContainEqual(['synchronous', '1', expect.any(String)])
  })

  test('loads every row of both files, one through each ORM, and tells new rows from updated ones', () => {
    expect(rows).toContainEqual(['airports.csv', 'Kysely', '4,376', '3,376', '1,000', '4,376'])
    expect(rows).toContainEqual(['zipcodes.csv', 'Drizzle', '43,049', '42,049', '1,000', '43,049'])
  })

  test('streams flights from one engine into the other, and tells how many came twice', () => {
    expect(rows).toContainEqual([
      '200,000',
      '199,467',
      '533',
      expect.any(String),
      'multi-row-statement',
    ])
  })

  test('ends with what its queries took, of both ORMs on both engines', () => {
    const report = run.stdout.slice(run.stdout.indexOf('What all of these queries took'))
    for (const database of ['sqlite', 'sqlite 2 (sqlite)', 'duckdb', 'duckdb 2 (duckdb)'])
      expect(report).toContain(`${database}: 0 running`)
    expect(report).toMatch(/\d+ queries of \d+ kinds/)
    expect(report).toContain('transactions: ')
  })

  test('counts what it found wrong in the files', () => {
    expect(rows).toContainEqual([
      '8',
      'airports on the wrong side of the globe',
      expect.any(String),
    ])
    expect(rows).toContainEqual(['12', 'airports with "NA" for city and state', expect.any(String)])
    expect(rows).toContainEqual(['3,256', 'ZIP codes that begin with 0', expect.any(String)])
    expect(rows).toContainEqual(['9,787', 'ZIP codes that share 1,193 points', expect.any(String)])
  })

  test('relates or leaves out each ZIP code', () => {
    const [, ...counts] =
      /^([\d,]+) ZIP codes have .+ km, ([\d,]+) farther away; ([\d,]+) left out$/m.exec(run.stdout)!
    expect(counts).toEqual(['31,902', '360', '9,787'])
    expect(rows).toContainEqual(['HPN', 'Westchester Cty', 'NY', '88', '15.3'])
    expect(rows).toContainEqual(['78851', 'Dryden', 'TX', 'Ozona Municipal', '103.9'])
  })

  test('streams every row through Kysely and through Drizzle', () => {
    expect(run.stdout.match(/[\d,]+ rows$/gm)).toEqual([
      '42,049 rows',
      '32,262 rows',
      '3,000,000 rows',
      '200,000 rows',
    ])
    expect(rows).toContainEqual(['10 to 20', '12,677', expect.stringMatching(/^█+$/)])
    expect(rows).toContainEqual(['-15 to 0', '1,230,185', expect.stringMatching(/^█+$/)])
    expect(rows).toContainEqual(['from 180', '14,411', ''])
    expect(run.stdout).toMatch(/^[\d,]{5,} rows per second$/m)
    expect(run.stdout).toMatch(/^[\d,]{3,} MB at most for Node and both databases$/m)
  })

  test('keeps the event loop moving on threads, with the same result', () => {
    const [inline, threads] = ['inline', 'threads'].map((mode) =>
      rows.find(([first, , ticks]) => first === mode && ticks !== undefined),
    )
    const numbers = (row: string[] | undefined) =>
      row!.slice(1).map((text) => Number(text.replaceAll(',', '')))
    const [pairs, ticks, pauseMs] = numbers(threads)
    const [samePairs, fewTicks, longPauseMs] = numbers(inline)
    expect(pairs).toBe(samePairs)
    expect(ticks).toBeGreaterThan(fewTicks!)
    expect(pauseMs).toBeLessThan(longPauseMs!)
  })

  test('loses the rows of a failed nested step and keeps those of the outer one, in both ORMs', () => {
    expect(run.stdout).toContain('UNIQUE constraint failed: airport.iata')
    expect(rows).toContainEqual(['outer', 'new airports ECP and XWA', '2', '2'])
    expect(rows).toContainEqual(['nested', 'ZIP codes moved from PFN to ECP', '15', '0'])
    expect(run.stdout).toContain('FOREIGN KEY constraint failed')
    expect(rows).toContainEqual(['outer', 'PFN and ISN marked as closed', '2', '2'])
    expect(rows).toContainEqual(['nested', 'ZIP codes moved from ISN to XWA', '8', '0'])
  })

  test('ends with a sound file in which both ORMs count the same', () => {
    expect(rows).toContainEqual(['airport', '3,378', '3,378'])
    expect(rows).toContainEqual(['zip', '42,049', '42,049'])
    expect(run.stdout).toContain('integrity_check: ok, foreign_key_check: 0 violations')
  })

  test('shows settings that DuckDB confirms', () => {
    expect(run.stdout).toMatch(/DuckDB v1\.\d+\.\d+ says/)
    expect(rows).toContainEqual(['threads', '2', expect.any(String)])
    expect(rows).toContainEqual(['memory_limit', '1.0 GiB', expect.any(String)])
    expect(rows).toContainEqual(['autoinstall_known_extensions', 'false', expect.any(String)])
  })

  test('loads every row of the Parquet file, and reads its timestamps', () => {
    expect(rows).toContainEqual(['flights-3m.parquet', '3,000,000'])
    expect(run.stdout).toContain('Mon, 01 Jan 2001 00:01 to Sun, 01 Jul 2001 00:00')
    expect(rows).toContainEqual(['Sat, 23 Jun 2001 08:34', 'SJU', 'PHL', '1,576', '1,367'])
    expect(run.stdout).toContain('3,966 of 502,222 flights')
  })

  test('sums up the flights in DuckDB, and finds the names of their airports in SQLite', () => {
    expect(run.stdout).toContain('The busiest of 3,399 routes')
    expect(rows).toContainEqual(['LAX', 'LAS', '8,323', '9.7'])
    expect(run.stdout).toContain('SQLite knows 229 of 229 airports')
    expect(rows).toContainEqual(['ORD', "Chicago O'Hare International", 'IL', '166,341', '7.7'])
  })

  test('loses a transaction of DuckDB whose error is caught, and keeps one that avoids it', () => {
    expect(run.stdout).toContain('A nested step is refused: SAVEPOINTS_NOT_SUPPORTED')
    expect(run.stdout).toMatch(/The same route again: .* violates primary key constraint/)
    expect(run.stdout).toContain('The commit: An earlier statement of this transaction has failed')
    expect(rows).toContainEqual(['insert, then catch the error', '44', '3,399'])
    expect(rows).toContainEqual(['insert, on conflict do nothing', '44', '3,355'])
  })

  test('closes both files without ending anything by force', () => {
    expect(rows).toContainEqual(['airports.db', expect.any(String), 'nothing'])
    expect(rows).toContainEqual(['flights.duckdb', expect.any(String), 'nothing'])
  })

  test('takes less than 60 seconds', () => {
    expect(Number(/^Done in ([\d.]+) s/m.exec(run.stdout)![1])).toBeLessThan(60)
  })

  test('fits into 80 columns', () => {
    expect(run.stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test('ends with places that exist', () => {
    const [, next] = run.stdout.split('Where to go next:')
    const paths = [...next!.matchAll(/^ +([\w./-]+\/[\w.]*) {2}/gm)].map(([, path]) => path!)
    expect(paths).not.toEqual([])
    expect(paths.filter((path) => !existsSync(new URL(path, repository)))).toEqual([])
  })

  describe.for([
    { moment: 'it begins', output: '1. ' },
    { moment: 'DuckDB reads the Parquet file', output: 'Load a Parquet file' },
    { moment: 'it streams three million rows', output: '750,000 ' },
  ])('while $moment', ({ output }) => {
    test.for([
      { event: 'its reader goes away', interrupt: (child: Child) => child.stdout.destroy() },
      { event: 'it is interrupted', interrupt: (child: Child) => child.kill('SIGINT') },
    ])('leaves no file behind when $event', async ({ interrupt }) => {
      const { child, temporary } = start('examples/quickstart.ts')
      onTestFinished(() => rmSync(temporary, { recursive: true }))
      let seen = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        const wasThere = seen.includes(output)
        seen += chunk
        if (!wasThere && seen.includes(output)) interrupt(child)
      })
      expect(await exitCode(child)).toBeGreaterThan(0)
      expect(seen).not.toContain('Done in')
      expect(readdirSync(temporary)).toEqual([])
    })
  })
})

type Child = ReturnType<typeof start>['child']

/** Starts a program as `pnpm example` does, with a folder of its own for temporary files. */
function start(program: string) {
  const temporary = mkdtempSync(join(tmpdir(), 'keelson-test-'))
  const { FORCE_COLOR: _, NO_COLOR: __, ...env } = process.env
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, repository))], {
    env: { ...env, TMPDIR: temporary, TMP: temporary, TEMP: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { child, temporary }
}

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
}

/** The cells of every row of every table. */
function tableRows(output: string): string[][] {
  const lines = output.split('\n').filter((line) => line.startsWith('│'))
  return lines.map((line) =>
    line
      .split('│')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}
