import { styleText } from 'node:util'
import { SingleBar } from 'cli-progress'
import Table from 'cli-table3'

let steps = 0

/** Runs one step under a numbered heading and prints how long it took. */
export async function step(title: string, run: () => Promise<void>): Promise<void> {
  const start = performance.now()
  print(`\n${styleText('bold', `${++steps}. ${title}`)}`)
  await run()
  print(styleText('dim', seconds(start)))
}

export function print(line: string): void {
  console.log(line)
}

/** Prints a text of any length in lines of at most 80 characters. */
export function printText(text: string): void {
  print(text.replace(/(.{1,80})( |$)/g, '$1\n').trimEnd())
}

/** Prints rows under a head; columns of numbers are aligned to the right. */
export function printTable(head: string[], rows: (string | number | null)[][]): void {
  const columns = head.map((_, i) => rows.map((row) => row[i]))
  const digits = columns.map((values) => (values.every((value) => Number.isInteger(value)) ? 0 : 1))
  const table = new Table({
    head: head.map((title) => styleText('bold', title)),
    colAligns: columns.map(([first]) => (typeof first === 'number' ? 'right' : 'left')),
    style: { compact: true, head: [], border: [] },
  })
  for (const row of rows) {
    table.push(
      row.map((value, i) => (typeof value === 'number' ? number(value, digits[i]) : value)),
    )
  }
  print(table.toString())
}

/** Passes rows on while a progress bar moves. */
export async function* withProgress<Row>(
  rows: AsyncIterable<Row>,
  total: number,
): AsyncGenerator<Row> {
  const bar = new ProgressBar(total)
  let seen = 0
  try {
    for await (const row of rows) {
      bar.update(++seen)
      yield row
    }
  } finally {
    bar.stop()
  }
}

/** A progress bar; where there is no terminal, a line of counts grows instead. */
export class ProgressBar {
  readonly #bar: SingleBar
  readonly #unit: string
  readonly #total: number
  readonly #part: number
  #next: number

  constructor(total: number, unit = 'rows') {
    this.#bar = new SingleBar({
      format: `{bar} {value} of {total} ${unit}`,
      formatValue: (value) => number(value),
      barCompleteChar: '█',
      barIncompleteChar: '░',
      linewrap: true,
      stream: process.stdout,
    })
    this.#unit = unit
    this.#total = total
    this.#part = Math.ceil(total / (process.stdout.isTTY ? 100 : 4))
    this.#next = this.#part
    this.#bar.start(total, 0)
  }

  update(rows: number): void {
    if (rows < this.#next && rows !== this.#total) return
    this.#next += this.#part
    this.#bar.update(rows)
    if (!process.stdout.isTTY) process.stdout.write(`${number(rows)} `)
  }

  stop(): void {
    this.#bar.stop()
    if (!process.stdout.isTTY) print(this.#unit)
  }
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}

/** `Mon, 01 Jan 2001 00:01`, in UTC. */
export function minute(date: Date): string {
  return date.toUTCString().slice(0, 22)
}

/** The time since `start`, which is 0 for the start of the process. */
export function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(3)} s`
}
