import { sqlTokens } from './tokens.ts'

/** What a statement does, as far as its first words tell. */
export type StatementVerb =
  | 'select'
  | 'insert'
  | 'update'
  | 'delete'
  | 'pragma'
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'release'
  | 'rollback to'
  | 'other'

const verbs: Readonly<Record<string, StatementVerb>> = {
  select: 'select',
  values: 'select',
  insert: 'insert',
  replace: 'insert',
  update: 'update',
  delete: 'delete',
  pragma: 'pragma',
  begin: 'begin',
  commit: 'commit',
  end: 'commit',
  rollback: 'rollback',
  savepoint: 'savepoint',
  release: 'release',
}

/** Finds the verb; in `WITH ... INSERT` that of the statement behind the common table expressions. */
export function statementVerb(sql: string): StatementVerb {
  let depth = 0
  let behindWith = false
  let rollback = false
  for (const { kind, text } of sqlTokens(sql)) {
    // SQLite passes over semicolons before a statement.
    if (text === ';' && !rollback) continue
    if (text === '(') depth++
    else if (text === ')') depth--
    else if (rollback) {
      if (kind === 'word' && text.toLowerCase() === 'to') return 'rollback to'
    } else if (kind === 'word' && depth === 0) {
      const word = text.toLowerCase()
      if (word === 'with' && !behindWith) behindWith = true
      else if (behindWith) {
        const verb = verbs[word]
        if (verb === 'select' || verb === 'insert' || verb === 'update' || verb === 'delete')
          return verb
      } else if (word === 'rollback') rollback = true
      else return verbs[word] ?? 'other'
    } else if (!behindWith) return 'other'
  }
  return rollback ? 'rollback' : 'other'
}

/** `statementVerb(sql) === 'pragma'`, without a look at every word of the many statements that are none. */
export function isPragma(sql: string): boolean {
  return /pragma/i.test(sql) && statementVerb(sql) === 'pragma'
}

/** The name and the assigned text of `PRAGMA name = value`, in lower case; `value` is undefined for a mere read. */
export function pragmaAssignment(
  sql: string,
): { name: string; value: string | undefined } | undefined {
  const [, ...tokens] = [...sqlTokens(sql)].filter(({ text }) => text !== ';')
  if (tokens[1]?.text === '.') tokens.splice(0, 2)
  const name = tokens[0]?.text.toLowerCase()
  if (name === undefined) return undefined
  return { name, value: tokens.length > 1 ? tokens[2]?.text.toLowerCase() : undefined }
}
