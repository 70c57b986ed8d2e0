import { expressionSql, predicateSql } from '../../sql/print-expression.ts'
import type { IndexAdvice, IndexProposal } from './advice.ts'

/**
 * The advice as a Kysely migration: a TypeScript file with `up` and `down`. The statements are those of `advice.sql`, in
 * the same order.
 *
 * @example
 * await writeFile(`migrations/${Date.now()}_advised_indexes.ts`, adviceAsKyselyMigration(advice))
 */
export function adviceAsKyselyMigration({ proposals, sql }: IndexAdvice): string {
  const down = proposals.map((each) => each.down).toReversed()
  return [
    `import { type Kysely, sql } from 'kysely'`,
    '',
    ...migrationFunction('up', sql),
    '',
    ...migrationFunction('down', down),
    '',
  ].join('\n')
}

/**
 * The advice as the indexes of Drizzle tables: by table, what goes into the third argument of `sqliteTable()` or
 * `pgTable()`. Keys are written as SQL, since the names that the properties have are not known.
 */
export function adviceAsDrizzleIndexes({
  proposals,
  engine,
}: IndexAdvice): ReadonlyMap<string, string> {
  const byTable = new Map<string, string[]>()
  for (const proposal of proposals) {
    const lines = byTable.get(proposal.table) ?? []
    lines.push(drizzleIndex(proposal, engine))
    byTable.set(proposal.table, lines)
  }
  return new Map(
    Array.from(byTable, ([table, lines]) => [table, `() => [\n${lines.join('')}]\n`] as const),
  )
}

function migrationFunction(name: string, statements: readonly string[]): readonly string[] {
  const lines = statements.map((statement) => `  await ${template(statement)}.execute(db)`)
  return [`export async function ${name}(db: Kysely<any>): Promise<void> {`, ...lines, '}']
}

function drizzleIndex({ index }: IndexProposal, engine: IndexAdvice['engine']): string {
  const keys = index.keys.map(({ expression, direction }) => {
    const key = expressionSql(expression, engine)
    return template(direction === 'desc' ? `${key} desc` : key)
  })
  const where =
    index.where === undefined ? '' : `.where(${template(predicateSql(index.where, engine))})`
  return `  index(${JSON.stringify(index.name)}).on(${keys.join(', ')})${where},\n`
}

/** SQL as a template of the ORM, which reads it as it stands. */
function template(statement: string): string {
  const escaped = statement.replaceAll(/[\\`]|\$\{/g, (found) => `\\${found}`)
  return `sql\`${escaped}\``
}
