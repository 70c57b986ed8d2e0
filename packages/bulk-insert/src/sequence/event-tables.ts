import { checkOptionNames, type EngineName, type EngineTraits, invalidOption } from '@keelson/core'
import { defaultSequenceTable, sequenceTableStatements } from './sequence-table.ts'
import { tableName, type TableName } from './table-name.ts'

/** Where events are kept, and in which order. The same for the tables and for every append to them. */
export interface EventTableOptions {
  /**
   * Which order is promised beside that of each stream.
   *
   * - `'stream'`: none. Appends to different streams do not wait for each other, and no number says which was first.
   * - `'global'`: each event has a `position`, without gaps and in the order in which transactions commit: who has read up to
   *   one has missed none before it. All appends take turns for that, each until its transaction ends.
   *
   * @default 'stream'
   */
  readonly order?: 'stream' | 'global' | undefined
  /** The names of the tables; `sequences` only counts with `order: 'global'`. */
  readonly tables?:
    | {
        /** @default 'keelson_event' */
        readonly events?: string | undefined
        /** @default 'keelson_stream' */
        readonly streams?: string | undefined
        /** The table of `nextSequence()`. @default 'keelson_sequence' */
        readonly sequences?: string | undefined
      }
    | undefined
  /** Their schema; on MySQL the database, on DuckDB or SQLite a schema or an attached database. @default the connection's own */
  readonly schema?: string | undefined
}

export const eventTableOptionNames = ['order', 'tables', 'schema'] as const

/** The tables as statements name them. */
export interface EventTables {
  readonly events: TableName
  readonly streams: TableName
  /** The counter of all events, with `order: 'global'`. */
  readonly counter: { readonly table: TableName; readonly name: string } | undefined
}

/** @throws {OptionError} for an impossible value, {IdentifierError} for a name that the engine would not take as it is */
export function eventTables(
  where: string,
  { order = 'stream', tables = {}, schema }: EventTableOptions,
  engine: EngineTraits['engine'],
): EventTables {
  if (order !== 'stream' && order !== 'global')
    invalidOption(where, 'order', order, "'stream' or 'global'")
  if (typeof tables !== 'object' || tables === null)
    invalidOption(where, 'tables', tables, 'an object of names')
  checkOptionNames(`\`tables\` of ${where}`, tables, ['events', 'streams', 'sequences'])
  const {
    events = 'keelson_event',
    streams = 'keelson_stream',
    sequences = defaultSequenceTable,
  } = tables
  return {
    events: tableName(events, schema, engine),
    streams: tableName(streams, schema, engine),
    counter:
      order === 'global'
        ? { table: tableName(sequences, schema, engine), name: events }
        : undefined,
  }
}

interface ColumnTypes {
  readonly text: string
  readonly integer: string
  readonly json: string
  readonly time: string
  readonly end: string
}

const columns: Readonly<Record<EngineName, ColumnTypes>> = {
  sqlite: {
    text: 'text',
    integer: 'integer',
    json: 'text',
    time: "text not null default (strftime('%Y-%m-%dT%H:%M:%fZ'))",
    end: '',
  },
  postgresql: {
    text: 'text',
    integer: 'bigint',
    json: 'jsonb',
    time: 'timestamptz not null default clock_timestamp()',
    end: '',
  },
  duckdb: {
    text: 'varchar',
    integer: 'bigint',
    json: 'json',
    time: 'timestamptz not null default get_current_timestamp()',
    end: '',
  },
  mysql: {
    text: 'varchar(255) character set utf8mb4 collate utf8mb4_bin',
    integer: 'bigint',
    json: 'json',
    time: 'timestamp(6) not null default current_timestamp(6)',
    end: ' engine = InnoDB',
  },
}

/**
 * The statements that create the tables of `appendEvents()`, for migrations that are written in SQL.
 *
 * @throws {OptionError} for an option that is unknown or impossible
 *
 * @example
 * eventTableStatements('postgresql')
 * // create table if not exists "keelson_stream" (stream text not null primary key, version bigint not null)
 * // create table if not exists "keelson_event" (stream text not null, version bigint not null, event_id text not null unique,
 * //   type text not null, data jsonb not null, metadata jsonb, recorded_at timestamptz not null default clock_timestamp(),
 * //   primary key (stream, version))
 */
export function eventTableStatements(
  engine: EngineName,
  options: EventTableOptions = {},
): readonly string[] {
  const where = 'eventTableStatements()'
  checkOptionNames(where, options, eventTableOptionNames)
  const { events, streams, counter } = eventTables(where, options, engine)
  const { text, integer, json, time, end } = columns[engine]
  const position = counter === undefined ? '' : `position ${integer} not null unique, `
  const ofCounter =
    counter === undefined
      ? []
      : sequenceTableStatements(engine, {
          table: options.tables?.sequences,
          schema: options.schema,
        })
  return [
    ...ofCounter,
    `create table if not exists ${streams.full} (stream ${text} not null primary key, version ${integer} not null)${end}`,
    `create table if not exists ${events.full} (${position}stream ${text} not null, version ${integer} not null, ` +
      `event_id ${text} not null unique, type ${text} not null, data ${json} not null, metadata ${json}, ` +
      `recorded_at ${time}, primary key (stream, version))${end}`,
  ]
}
