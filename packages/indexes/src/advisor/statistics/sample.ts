import { type EngineName, type Later, quoteIdentifier } from '@keelson/core'
import type { HostSession, Row } from '../../host/host.ts'

/** Some rows of a table, the same ones each time. */
export interface Sample {
  /** Rows of the whole table; an estimate on PostgreSQL. */
  readonly rows: number
  /** Values of the expressions asked for, as `k0`, `k1` ...; `w`: bytes of the row; `place`: where it is in the table. */
  readonly sampled: readonly Row[]
}

export interface SampleRequest {
  readonly table: string
  readonly schema: string | undefined
  readonly columns: readonly string[]
  /** SQL of what to read of each row. */
  readonly expressions: readonly string[]
  /** The most rows to read. */
  readonly size: number
}

type ReadSample = (
  query: (sql: string, parameters?: readonly unknown[]) => Later<readonly Row[]>,
  request: SampleRequest,
  table: string,
) => Promise<Sample>

/** Reads a sample: one reading of some rows, and a count. Locks nothing that a SELECT would not. */
export function readSample(
  session: HostSession,
  engine: EngineName,
  request: SampleRequest,
): Promise<Sample> {
  const { schema, table } = request
  const quoted = quoteIdentifier(table, engine)
  const full = schema === undefined ? quoted : `${quoteIdentifier(schema, engine)}.${quoted}`
  return readers[engine]((sql, parameters) => session.query(sql, parameters), request, full)
}

const readers: Readonly<Record<EngineName, ReadSample>> = {
  sqlite: async (query, request, table) => {
    const { size } = request
    const keys = request.expressions.map(
      // Whole numbers beyond those of JavaScript, long texts and bytes are told apart well enough by a part of them.
      (sql, at) =>
        `case typeof(${sql}) when 'integer' then iif(${sql} between -9007199254740991 and 9007199254740991, ${sql}, cast(${sql} as text)) when 'text' then substr(${sql}, 1, 256) when 'blob' then hex(substr(${sql}, 1, 32)) else ${sql} end as k${at}`,
    )
    const lengths = request.columns
      .slice(0, 100)
      .map((column) => `coalesce(length(${quoteIdentifier(column, 'sqlite')}), 0)`)
    const selected = [...keys, `${lengths.join(' + ') || '8'} as keelson_width`].join(', ')
    const rows = numberOf(
      (await query(`select count(*) as keelson_rows from ${table}`))[0]?.['keelson_rows'],
    )
    if (rows <= size * 1.5)
      return { rows, sampled: await query(`select ${selected} from ${table}`) }
    const [listed] = await query(
      `select wr from pragma_table_list where schema = ? collate nocase and name = ? collate nocase`,
      [request.schema ?? 'main', request.table],
    )
    const [bounds] =
      Number(listed?.['wr'] ?? 0) === 1
        ? []
        : await query(
            `select (select min(rowid) from ${table}) as keelson_low, (select max(rowid) from ${table}) as high`,
          )
    const low = Number(bounds?.['keelson_low'])
    const high = Number(bounds?.['high'])
    const density = rows / (high - low + 1)
    if (!(density > 0.02) || !Number.isSafeInteger(high) || !Number.isSafeInteger(low)) {
      // No rowid, or one with gaps that are wide: every so many rows.
      const step = Math.ceil(rows / size)
      const numbered = `select *, row_number() over () as keelson_row from ${table}`
      const sql = `select ${selected} from (${numbered}) where keelson_row % ${step} = 0`
      return { rows, sampled: await query(sql) }
    }
    const ids = scattered(low, high, Math.ceil(size / density))
    const sql = `select ${selected} from ${table} where rowid in (select value from json_each(?))`
    return { rows, sampled: await query(sql, [JSON.stringify(ids)]) }
  },

  duckdb: async (query, request, table) => {
    const rows = numberOf(
      (await query(`select count(*) as keelson_rows from ${table}`))[0]?.['keelson_rows'],
    )
    const keys = request.expressions.map((sql, at) => `cast(${sql} as varchar) as k${at}`)
    const selected = [...keys, '64 as keelson_width', 'rowid as place'].join(', ')
    const sampled = await query(
      `select ${selected} from ${table} using sample reservoir(${request.size} rows) repeatable (42)`,
    )
    return { rows, sampled }
  },

  postgresql: async (query, request, table) => {
    const { size } = request
    const [known] = await query(
      `select reltuples::float8 as keelson_rows from pg_class where oid = $1::text::regclass`,
      [table],
    )
    const estimate = Number(known?.['keelson_rows'] ?? -1)
    const rows =
      estimate > 0
        ? estimate
        : numberOf(
            (await query(`select count(*)::float8 as keelson_rows from ${table}`))[0]?.[
              'keelson_rows'
            ],
          )
    const keys = request.expressions.map((sql, at) => `(${sql})::text as k${at}`)
    const selected = [...keys, `pg_column_size(t.*) as keelson_width`].join(', ')
    const percent = Math.min(100, (150 * size) / Math.max(1, rows))
    // Reading every page is fairer, and affordable up to here.
    const method = rows <= 2_000_000 ? 'bernoulli' : 'system'
    const part =
      rows <= size * 1.5 ? '' : ` tablesample ${method} (${percent.toFixed(6)}) repeatable (42)`
    return {
      rows,
      sampled: await query(`select ${selected} from ${table} as t${part} limit ${size * 2}`),
    }
  },

  mysql: async (query, request, table) => {
    const { size } = request
    const rows = numberOf(
      (await query(`select count(*) as keelson_rows from ${table}`))[0]?.['keelson_rows'],
    )
    const keys = request.expressions.map((sql, at) => `${sql} as k${at}`)
    const share = Math.min(1, (1.5 * size) / Math.max(1, rows))
    const part = share === 1 ? '' : ` where rand(42) < ${share.toFixed(8)}`
    const selected = [...keys, '64 as keelson_width'].join(', ')
    return {
      rows,
      sampled: await query(`select ${selected} from ${table}${part} limit ${size * 2}`),
    }
  },
}

/** Whole numbers between two, spread as if by chance, and always the same ones. */
function scattered(low: number, high: number, count: number): readonly number[] {
  const width = high - low + 1
  const found = new Set<number>()
  // A generator of full period: https://en.wikipedia.org/wiki/Linear_congruential_generator, the one of Numerical Recipes.
  let state = 42
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  for (let at = 0; at < count; at++) found.add(low + Math.floor(next() * width))
  return [...found]
}

function numberOf(value: unknown): number {
  return Number(value ?? 0)
}
