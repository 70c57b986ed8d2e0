import type { EngineName } from '@keelson/core'
import { quoteIdentifier } from '@keelson/core'
import { indexName } from '../../names/index-name.ts'
import { createIndexSql, dropIndexSql } from '../../sql/print-index.ts'
import { tableNameSql } from '../../sql/table-name.ts'
import type { Candidate } from '../candidates/table-index.ts'
import type { SampledTable } from '../sampled-table.ts'
import { dropsOf } from '../select/drops.ts'
import type { NotChosen, Selection } from '../select/select-indexes.ts'
import { type QueryCost, totalOf, type WorkloadCost } from '../select/workload-cost.ts'
import type { Planner } from '../what-if/planner.ts'
import type { WriteLoad } from '../write-load.ts'
import type {
  AdvisedQuery,
  AdviceRefusal,
  AdviceRefusalCode,
  IndexAdvice,
  IndexProposal,
} from './advice.ts'
import { namedQuery } from './named-query.ts'

/** All that the steps of the advice have found. */
export interface Findings {
  readonly engine: EngineName
  readonly planner: Planner
  readonly cost: WorkloadCost
  readonly selection: Selection
  readonly tables: ReadonlyMap<string, SampledTable>
  readonly writes: WriteLoad
  /** Before any planner was asked. */
  readonly refused: readonly AdviceRefusal[]
  readonly unread: { readonly queries: number; readonly calls: number }
  readonly parser: IndexAdvice['workload']['parser']
  /** Whether a scan was seen to use it. */
  readonly verified: ReadonlyMap<Candidate, boolean>
  readonly minRows: number
}

/** Puts the advice together. */
export async function adviceFrom(findings: Findings): Promise<IndexAdvice> {
  const { engine, planner, cost, selection, tables, unread, parser } = findings
  const { chosen, before, after } = selection
  const names = namesOf(chosen, findings)
  const proposals: IndexProposal[] = []
  for (const candidate of chosen) proposals.push(await proposalOf(candidate, findings, names))
  proposals.sort((a, b) => b.gain - a.gain || (a.index.name < b.index.name ? -1 : 1))
  const queries = cost.queries.flatMap((_, at) => queryOf(at, findings, names) ?? [])
  const used = new Set(after.flatMap((each) => each?.plans.flatMap(({ uses }) => uses) ?? []))
  const unplanned = before.filter((each) => each === undefined).length
  const isWhole = unread.queries === 0 && unplanned === 0 && cost.queries.length > 0
  const ratios = before.flatMap((each, at) =>
    each === undefined || each.ns === 0 ? [] : (after[at]?.ns ?? 0) / each.ns,
  )
  return {
    v: 1,
    engine,
    method: planner.method,
    proposals,
    refused: [...findings.refused, ...refusalsOf(findings)].toSorted((a, b) =>
      `${a.table} ${a.index}` < `${b.table} ${b.index}` ? -1 : 1,
    ),
    drops: dropsOf(
      tables.values(),
      used,
      chosen.map((candidate) => ({ ...candidate, name: names.get(candidate.name)! })),
      isWhole,
    ),
    queries,
    workload: {
      queries: cost.queries.length + unread.queries,
      calls: cost.queries.reduce((all, { calls }) => all + calls, 0) + unread.calls,
      unread,
      parser,
      unplanned,
      beforeMs: totalOf(before, cost.queries) / 1e6,
      afterMs: totalOf(after, cost.queries) / 1e6,
      bytes: Math.round(chosen.reduce((all, { bytes }) => all + bytes, 0)),
      worstRegression: Math.max(1, ...ratios),
    },
    sql: [...proposals.map(({ sql }) => sql), ...analyze(proposals, findings)],
  }
}

/** The names that the candidates get, by the names that plans have for them. */
function namesOf(
  candidates: readonly Candidate[],
  { tables, engine }: Findings,
): ReadonlyMap<string, string> {
  return new Map(
    candidates.map(({ name, table, index }) => {
      return [name, indexName(tables.get(table)!.definition, index, engine)]
    }),
  )
}

async function proposalOf(
  candidate: Candidate,
  findings: Findings,
  names: ReadonlyMap<string, string>,
): Promise<IndexProposal> {
  const { cost, selection, tables, engine, writes, verified } = findings
  const { definition } = tables.get(candidate.table)!
  const index = { ...candidate.index, name: names.get(candidate.name)! }
  const without = await cost.of(selection.chosen.filter((each) => each !== candidate))
  const gainNs = totalOf(without, cost.queries) - totalOf(selection.after, cost.queries)
  const present = totalOf(selection.before, cost.queries)
  const queries = selection.after.flatMap((each, at) =>
    each?.plans.some(({ uses }) => uses.includes(candidate.name)) ? [cost.queries[at]!] : [],
  )
  const is = verified.get(candidate)
  return {
    table: candidate.table,
    index,
    sql: createIndexSql(definition, index, engine),
    down: dropIndexSql(definition, index, engine),
    queries: queries.map(({ id }) => id),
    gain: present === 0 ? 0 : gainNs / present,
    gainMs: gainNs / 1e6,
    bytes: Math.round(candidate.bytes),
    writes: { rows: writes.rowsFor(candidate), ms: writes.nsFor(candidate) / 1e6 },
    confidence: confidenceOf(queries, findings, is),
    ...(is !== undefined && { verified: is }),
  }
}

function confidenceOf(
  queries: readonly { readonly instances: WorkloadCost['queries'][number]['instances'] }[],
  { planner }: Findings,
  isVerified: boolean | undefined,
): IndexProposal['confidence'] {
  if (isVerified === true) return 'high'
  if (planner.method === 'rules') return 'low'
  const isKnown = queries.every(({ instances }) =>
    instances.every(
      ({ parameters, shape }) => parameters !== undefined && shape.problems.length === 0,
    ),
  )
  return isKnown ? 'high' : 'medium'
}

function queryOf(
  at: number,
  { cost, selection, tables, minRows }: Findings,
  names: ReadonlyMap<string, string>,
): AdvisedQuery | undefined {
  const query = cost.queries[at]!
  const before = selection.before[at]
  const after = selection.after[at]
  if (before === undefined || after === undefined) return undefined
  const isLarge = (name: string): boolean => (tables.get(name)?.statistics.rows ?? 0) >= minRows
  const scans = ({ plans }: QueryCost): readonly string[] =>
    [...new Set(plans.flatMap((plan) => plan.scans))].filter(isLarge).toSorted()
  const lines = ({ plans }: QueryCost): readonly string[] =>
    (plans[0]?.lines ?? []).map((line) =>
      line.replaceAll(/\bkeelson_candidate_\d+\b/g, (name) => names.get(name) ?? name),
    )
  return {
    id: query.id,
    text: query.text,
    calls: query.calls,
    beforeMs: before.ns / 1e6,
    afterMs: after.ns / 1e6,
    planBefore: lines(before),
    planAfter: lines(after),
    scansBefore: scans(before),
    scansAfter: scans(after),
    problems: [...new Set(query.instances.flatMap(({ shape }) => shape.problems))],
  }
}

const codes: Readonly<Record<NotChosen['why'], AdviceRefusalCode>> = {
  regression: 'REGRESSION',
  unused: 'NOT_USED',
  gain: 'NO_GAIN',
  callGain: 'SMALL_CALL_GAIN',
  budget: 'BUDGET',
  perTable: 'TABLE_LIMIT',
  writes: 'WRITE_COST',
}

const reasons: Readonly<Record<Exclude<NotChosen['why'], 'regression'>, string>> = {
  unused: 'No plan would use it, or only for what others do already.',
  gain: 'Beside the others it saves too little.',
  callGain:
    'Beside the others it saves too little of a call for anybody to notice: less than `minCallGainUs`.',
  budget: 'It does not fit into the budget beside others with more gain for each megabyte.',
  perTable: 'The table has as many proposals as it may have, of more gain.',
  writes: 'Keeping it up with the writes takes more than it saves.',
}

function refusalsOf({ selection, cost, verified }: Findings): readonly AdviceRefusal[] {
  const refused = Array.from(selection.notChosen, ([candidate, reason]): AdviceRefusal => {
    const { table, id: index } = candidate
    const code = codes[reason.why]
    if (reason.why !== 'regression') return { table, index, code, why: reasons[reason.why] }
    const slower = reason.queries.map((at) => namedQuery(cost.queries[at]!)).join(', ')
    return { table, index, code, why: `It would make slower: ${slower}.` }
  })
  for (const [{ table, id: index }, is] of verified) {
    const why = 'It was tried, and no scan used it.'
    if (!is) refused.push({ table, index, code: 'NOT_USED', why })
  }
  return refused
}

/** Without statistics SQLite and PostgreSQL do not know what the new indexes are good for. */
function analyze(
  proposals: readonly IndexProposal[],
  { engine, tables }: Findings,
): readonly string[] {
  if (engine !== 'sqlite' && engine !== 'postgresql') return []
  const changed = [...new Set(proposals.map(({ table }) => table))].toSorted()
  return changed.map((name) => {
    const definition = tables.get(name)?.definition
    const table =
      definition === undefined ? quoteIdentifier(name, engine) : tableNameSql(definition, engine)
    return `analyze ${table}`
  })
}
