/** A statement that begins, ends or divides a transaction. */
export interface ControlStatement {
  readonly kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback to' | 'release'
  /** Of the savepoint, without quotes. */
  readonly savepoint?: string
}

const control =
  /^\s*(?:(begin|start\s+transaction)\b|(commit|end)(?:\s+(?:work|transaction))?\s*;?\s*$|(savepoint)\s+|(rollback)(?:\s+(?:work|transaction))?(?:\s*;?\s*$|\s+to\s+(?:savepoint\s+)?)|(release)\s+(?:savepoint\s+)?)/i

/** Of `begin`, `commit`, `end`, `rollback`, `release`, `savepoint` and `start`. */
const firstLetters: ReadonlySet<number> = new Set(
  Array.from('bcers', (letter) => letter.charCodeAt(0)),
)

/** What a statement does to the transaction, told by its text, which is what reaches a connection from every driver. */
export function controlStatement(sql: string): ControlStatement | undefined {
  // Nearly every statement is none, and the first letters tell.
  if (sql.startsWith('select')) return undefined
  const first = sql.charCodeAt(0)
  if (first > 32 && !firstLetters.has(first | 32)) return undefined
  const match = control.exec(sql)
  if (match === null) return undefined
  const [all, begin, commit, savepoint, rollback, release] = match
  const name = unquoted(sql.slice(all.length))
  if (begin !== undefined) return { kind: 'begin' }
  if (commit !== undefined) return { kind: 'commit' }
  if (savepoint !== undefined) return { kind: 'savepoint', savepoint: name }
  if (release !== undefined) return { kind: 'release', savepoint: name }
  if (rollback === undefined) return undefined
  return name === '' ? { kind: 'rollback' } : { kind: 'rollback to', savepoint: name }
}

function unquoted(name: string): string {
  return name
    .trim()
    .replace(/;$/, '')
    .replaceAll(/^["`]|["`]$/g, '')
}
