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

Each line of the table is a small program: two parts of a transaction run side by side, a commit fails, a connection is
lost. It is written once and put to each library over real engines, each time in a process of its own, with the
library's defaults; only pools are told to give up after 2 s. Nothing here is an opinion: the verdict compares the rows
that are there when everything is closed, and what each caller was told, with what the case says is right. The cases are
in [test/corruption/cases](../test/corruption/cases), how each library is called is in
[test/corruption/libraries](../test/corruption/libraries).

- **right**: the rows and the reports are as the case demands.
- **wrong**: they are not. **Silently**: and no caller was told of any error but its own.
- **hangs**: nothing happened any more. **crashes**: the process died.
- **-**: the library does not offer this, or says so before it does anything.

"By hand" is the client of the engine without a library, where that tells something. Keelson stands here as
\`withTransactions()\` around the drivers of Kysely and Drizzle, and around its own; its columns are also tests of this
repository. For DuckDB Drizzle has no driver of its own; drizzle-neo-duckdb, by somebody else, is not counted against it.
Is a library used here in a way that nobody would? Please open an issue.`

/** The page `docs/corruption.md`. */
export function documentOf(rows: readonly Row[], circumstances: Circumstances): string {
  const { date, node, versions, limitMs } = circumstances
  return [
    intro,
    filled(
      `Run on ${date} with \`npx -y pnpm@12 corruption\` on Node ${node}: ${versions.join(', ')}. What hangs was given ` +
        `${limitMs / 1000} s.`,
    ),
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
    const own = rows.map(({ cells }) => cells[column]!.results.filter((each) => !each.isForeign))
    const verdicts = own.filter((results) => results.length > 0).map(worst)
    const expressed = verdicts.filter((verdict) => verdict !== '-')
    return `${expressed.filter((verdict) => verdict === 'right').length} of ${expressed.length}`
  })
  return table([['', ...names], ...lines, ['right, of those it can express', ...totals]])
}

/** One word when all drivers of the library agree. */
function cell(results: readonly Result[]): string {
  const verdicts = new Set(results.map(emphasised))
  if (verdicts.size === 1 && !results[0]!.isForeign) return emphasised(results[0]!)
  return results.map((result) => `${result.driver}: ${emphasised(result)}`).join('; ')
}

function section({ asked, cells }: Row): string {
  const lines = cells.flatMap(({ contender, results }) =>
    results
      .filter(({ happened }) => happened !== '')
      .map((result) => [
        result.driver === undefined ? contender.name : `${contender.name}, ${result.driver}`,
        emphasised(result),
        result.happened,
      ]),
  )
  const threads = (asked.threads ?? []).map((thread) => {
    const [repository, number] = thread.split('#')
    return `[${thread}](https://github.com/${repository}/issues/${number})`
  })
  return [
    `### ${asked.title}`,
    `\`${asked.id}\`, on ${asked.engine}.`,
    filled(`**Asked.** ${asked.asked}`),
    filled(`**Right.** ${asked.right}`),
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

function emphasised({ verdict, isSilent }: Result): string {
  if (verdict === 'right' || verdict === '-') return verdict
  return isSilent ? `**${verdict}, silently**` : `**${verdict}**`
}

/** A paragraph in lines of at most 120 characters. */
function filled(paragraph: string): string {
  return paragraph.replaceAll(/(?=.{121})(.{1,120}) /g, '$1\n')
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
