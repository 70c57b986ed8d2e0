import { cpus, totalmem } from 'node:os'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import Table from 'cli-table3'
import type { Standing } from './side-by-side.ts'

const require = createRequire(import.meta.url)

/** Prints a comparison: ratios first, since absolute times belong to one machine. */
export function printStandings(
  title: string,
  baseline: string,
  standings: readonly Standing[],
): void {
  const table = new Table({
    head: [title, `x ${baseline}`, 'median us', 'best us', 'own CPU us'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right'],
  })
  for (const { name, timesBaseline, medianUs, bestUs, medianCpuUs } of standings) {
    table.push([
      name,
      timesBaseline.toFixed(2),
      medianUs.toFixed(2),
      bestUs.toFixed(2),
      medianCpuUs?.toFixed(2) ?? '',
    ])
  }
  console.log(table.toString())
}

/** Writes ratios with what they were measured on. */
export function writeResults(file: URL, packages: readonly string[], results: object): void {
  const machine = {
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    packages: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  }
  writeFileSync(
    file,
    `${JSON.stringify({ measured: new Date().toISOString().slice(0, 10), machine, ...results }, null, 2)}\n`,
  )
}

function versionOf(name: string): string {
  const entry = require.resolve(name)
  const root = entry.slice(
    0,
    entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length,
  )
  return (require(`${root}package.json`) as { version: string }).version
}
