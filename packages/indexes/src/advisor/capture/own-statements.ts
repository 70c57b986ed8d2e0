import type { HostSession } from '../../host/host.ts'

const mark = '/* keelson advisor */ '

/** The session, whose statements the advisor knows for its own when it hears of them. */
export function marked(session: HostSession): HostSession {
  return {
    query: (sql, parameters) => session.query(mark + sql, parameters),
    run: (sql, parameters) => session.run(mark + sql, parameters),
  }
}

/**
 * Whether a statement is one that an advisor has sent: advice is about those of the user. A fingerprint has no comments, but
 * the names that the advisor's results have.
 */
export function isOwnStatement(sql: string): boolean {
  return sql.startsWith(mark) || /\bas "?keelson_/.test(sql)
}
