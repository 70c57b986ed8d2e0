import type { Result } from './attempt.ts'
import type { CorruptionCase, Verdict } from './case.ts'
import type { Contender } from './contenders.ts'

/** What came of one case, for each contender in the order of the columns. */
export interface Row {
  readonly asked: CorruptionCase
  readonly cells: readonly { readonly contender: Contender; readonly results: readonly Result[] }[]
}

export interface Circumstances {
  readonly date: string
  readonly node: string
  readonly versions: readonly string[]
  readonly limitMs: number
}

const intro = `# Corruption: what becomes of a transaction when something goes wrong

Each line below is a small program: two parts of a transaction run side by side, a commit fails, a connection is lost.
It is written once and put to each library over real engines, each time in a process of its own, with the library's
defaults. Nothing here is an opinion: the verdict compares the rows that are there when everything is closed, and what
each caller was told, with what the case says is right. The cases are in [test/corruption](../test/corruption/cases),
how each library is called in [test/corruption/libraries](../test/corruption/libraries).

- **right**: the rows and the reports are as the case demands.
- **wrong**: they are not; in the worst case rows are lost, or kept, that somebody was told the opposite of. Where the
  library itself said that something failed, this is below, too.
- **hangs**: nothing happened any more. **crashes**: the process died.
- **-**: the library does not offer this, or says so before it does anything.

"By hand" is the engine's own client without a library, where that says something. Keelson stands here as
\`withTransactions()\` around the drivers of Kysely and Drizzle, and around its own; its columns are also tests of this
repository. Did we use a library in a way nobody would? Please open an issue.`

/** The page `docs/corruption.md`. */
export function documentOf(rows: readonly Row[], circumstances: Circumstances): string {
  const { date, node, versions, limitMs } = circumstances
  return [
    intro,
    `Run on ${date} with \`npx -y pnpm@12 corruption\` on Node ${node}: ${versions.join(', ')}. "Nothing" means for ` +
      `${limitMs / 1000} seconds.`,
    '## The table',
    overview(rows),
    '## The cases',
    ...rows.map(section),
  ].join('\n\n')
}

/** The headings under which a page has its cases. */
export function titlesOf(page: string): string[] {
  return [...page.matchAll(/^### (.+)$/gm)].map(([, title]) => title!)
}

function overview(rows: readonly Row[]): string {
  const names = rows[0]!.cells.map(({ contender }) => contender.name)
  const lines = rows.map(({ asked, cells }) => [
    `[${asked.title}](#${anchor(asked.title)})`,
    ...cells.map(({ results }) => cell(results)),
  ])
  const totals = names.map((_, column) => {
    const verdicts = rows.map((row) => worst(row.cells[column]!.results))
    const expressed = verdicts.filter((verdict) => verdict !== '-')
    return `${expressed.filter((verdict) => verdict === 'right').length} of ${expressed.length}`
  })
  return table([['', ...names], ...lines, ['right, of those it can express', ...totals]])
}

/** One word when all drivers of the library agree. */
function cell(results: readonly Result[]): string {
  const verdicts = new Set(results.map(({ verdict }) => verdict))
  if (verdicts.size === 1) return emphasised(results[0]!.verdict)
  return results.map(({ driver, verdict }) => `${emphasised(verdict)} (${driver})`).join(', ')
}

function section({ asked, cells }: Row): string {
  const lines = cells.flatMap(({ contender, results }) =>
    results
      .filter(({ happened }) => happened !== '')
      .map(({ driver, verdict, happened }) => [
        driver === undefined ? contender.name : `${contender.name}, ${driver}`,
        emphasised(verdict),
        happened,
      ]),
  )
  const threads = (asked.threads ?? []).map((thread) => {
    const [repository, number] = thread.split('#')
    return `[${thread}](https://github.com/${repository}/issues/${number})`
  })
  return [
    `### ${asked.title}`,
    `\`${asked.id}\`, on ${asked.engine}.`,
    `**Asked.** ${asked.asked}`,
    `**Right.** ${asked.right}`,
    table([['', '', 'what happened'], ...lines]),
    ...(threads.length === 0 ? [] : [`Met by others: ${threads.join(', ')}.`]),
  ].join('\n\n')
}

const order: readonly Verdict[] = ['-', 'right', 'wrong', 'hangs', 'crashes']

function worst(results: readonly Result[]): Verdict {
  return results
    .map(({ verdict }) => verdict)
    .reduce((one, other) => (order.indexOf(one) > order.indexOf(other) ? one : other))
}

function emphasised(verdict: Verdict): string {
  return verdict === 'right' || verdict === '-' ? verdict : `**${verdict}**`
}

function table([head = [], ...lines]: readonly (readonly string[])[]): string {
  const rows = [head, head.map(() => '---'), ...lines.map((line) => line.map(inCell))]
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

/** As GitHub makes it of a heading. */
function anchor(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}
