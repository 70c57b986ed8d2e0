import type { DrizzleConfig, ExtractTablesWithRelations } from 'drizzle-orm'
import type { RelationalSchemaConfig } from 'drizzle-orm/relations'
import { OptionError } from '../errors/keelson-error.ts'
import { checkOptionNames, invalidOption } from '../options.ts'
import { createTableRelationsHelpers, extractTablesRelationalConfig } from './internals.ts'

const where = 'drizzle()'

type ConfigName = 'schema' | 'casing' | 'logger' | 'cache'
const configNames: readonly ConfigName[] = ['schema', 'casing', 'logger', 'cache']

/** What one driver opens, and how it calls that. */
export interface SourceForms<S> {
  /** What a database is, or a path to one, that stands alone in the first place; undefined for anything else. */
  source(value: unknown): S | undefined
  /** What an open database is. */
  client(value: unknown): S | undefined
  /** What is to be opened. */
  connection(value: unknown): S | undefined
  readonly expected: {
    readonly source: string
    readonly client: string
    readonly connection: string
  }
}

/**
 * Reads the two forms of `drizzle()`: what to open and a configuration, or one object with everything in it.
 *
 * @throws {OptionError} for anything else
 */
export function readArguments<S, C extends object>(
  forms: SourceForms<S>,
  source: unknown,
  config: C | undefined,
): { readonly source: S; readonly config: C } {
  const alone = forms.source(source)
  if (alone !== undefined) return { source: alone, config: config ?? ({} as C) }
  if (!isPlainObject(source)) invalidOption(where, 'source', source, forms.expected.source)
  const { client, connection, ...rest } = source
  checkOptionNames(where, source, [...configNames, 'client', 'connection'])
  if (config !== undefined) {
    throw new OptionError(
      'INVALID_OPTION',
      'config',
      `${where} got two configurations. Put everything into the first.`,
    )
  }
  if ((client === undefined) === (connection === undefined)) {
    throw new OptionError(
      'INVALID_OPTION',
      'connection',
      `${where} takes one of \`client\` and \`connection\`, and got ${client === undefined ? 'neither' : 'both'}. ` +
        'Give `connection`, a path to open, or `client`, a database that is open.',
    )
  }
  const form = client === undefined ? 'connection' : 'client'
  const given = forms[form](source[form])
  if (given === undefined) invalidOption(where, form, source[form], forms.expected[form])
  return { source: given, config: rest as C }
}

/** @throws {OptionError} for an option that is unknown or cannot be used */
export function checkConfig(config: DrizzleConfig<Record<string, unknown>>): void {
  if (!isPlainObject(config))
    invalidOption(where, 'config', config, `an object with ${configNames.join(', ')}`)
  checkOptionNames(where, config, configNames)
  const { schema, casing, logger, cache } = config
  if (schema !== undefined && (typeof schema !== 'object' || schema === null)) {
    invalidOption(
      where,
      'schema',
      schema,
      'an object of tables and relations, such as `import * as schema`',
    )
  }
  if (casing !== undefined && casing !== 'snake_case' && casing !== 'camelCase') {
    invalidOption(where, 'casing', casing, "'snake_case', 'camelCase'")
  }
  if (logger !== undefined && typeof logger !== 'boolean' && !hasMethod(logger, 'logQuery')) {
    invalidOption(where, 'logger', logger, 'true, false, or an object with logQuery(query, params)')
  }
  if (cache !== undefined && !hasMethod(cache, 'onMutate')) {
    invalidOption(where, 'cache', cache, 'a Cache of drizzle-orm/cache/core')
  }
}

/** The tables and relations for `db.query`. */
export function relationalSchema<TSchema extends Record<string, unknown>>({
  schema,
}: DrizzleConfig<TSchema>):
  | RelationalSchemaConfig<ExtractTablesWithRelations<TSchema>>
  | undefined {
  if (schema === undefined) return undefined
  const { tables, tableNamesMap } = extractTablesRelationalConfig<
    ExtractTablesWithRelations<TSchema>
  >(schema, createTableRelationsHelpers)
  return { fullSchema: schema, schema: tables, tableNamesMap }
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof (value as Record<string, unknown> | null)?.[name] === 'function'
}
