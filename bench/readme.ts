// Writes the ratios of bench/results into the README, so that no number there is typed by hand.
import { readFileSync, writeFileSync } from 'node:fs'
import type { Standing } from './support/side-by-side.ts'

interface Results {
  readonly measured: string
  readonly machine: {
    readonly node: string
    readonly cpu: string
    readonly packages: Record<string, string>
  }
  readonly eventLoopGapMs: Record<string, number>
  readonly results: Record<string, readonly Standing[]>
}

/** Call after the benches have written their results. */
export function writeReadme(): void {
  const file = new URL('../README.md', import.meta.url)
  const results = JSON.parse(
    readFileSync(new URL('results/sqlite.json', import.meta.url), 'utf8'),
  ) as Results
  const [before, rest] = readFileSync(file, 'utf8').split('<!-- bench:start -->')
  const after = rest?.split('<!-- bench:end -->')[1]
  if (before === undefined || after === undefined)
    throw new Error('README.md has lost its place for the bench.')
  writeFileSync(
    file,
    `${before}<!-- bench:start -->\n\n${section(results)}\n\n<!-- bench:end -->${after}`,
  )
}

function section({ measured, machine, eventLoopGapMs, results: standings }: Results): string {
  const titles = Object.keys(standings)
  const names = standings[titles[0]!]!.map(({ name }) => name)
  const head = ['', ...titles, 'event loop blocked']
  const rows = names.map((name) => {
    const ratios = titles.map((title) => {
      const standing = standings[title]!.find((each) => each.name === name)
      return standing === undefined ? '' : standing.timesBaseline.toFixed(2)
    })
    const gap = eventLoopGapMs[name]
    return [name, ...ratios, gap === undefined ? '' : `${gap} ms`]
  })
  const table = [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...rows]
  const versions = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`)
  return [
    'Time taken, as a multiple of better-sqlite3 by hand with prepared statements (less is faster); the last column is the',
    'longest time the event loop stood still while 100,000 rows were streamed.',
    '',
    ...table.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Measured ${measured} in one run, turn by turn, with \`npx -y pnpm@12 bench sqlite\`: Node ${machine.node}, ${machine.cpu},`,
    `${versions.join(', ')}. [All figures](bench/results/sqlite.json).`,
  ].join('\n')
}
