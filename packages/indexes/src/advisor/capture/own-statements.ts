import type { Host, HostSession } from '../../host/host.ts'

/** `@keelson/timing` knows it, too: it keeps comments of this form, and leaves such statements out of its workload. */
const mark = '/* keelson advisor */ '

/** The host, whose statements are known for the advisor's own by whoever hears of them. */
export function marked(host: Host): Host {
  return {
    engine: host.engine,
    traits: host.traits,
    identity: host.identity,
    isSynchronous: host.isSynchronous,
    get isInTransaction() {
      return host.isInTransaction
    },
    ...markedSession(host),
    atomically: (fn) => host.atomically((session) => fn(markedSession(session))),
    atomicallyWithoutForeignKeys: (fn) =>
      host.atomicallyWithoutForeignKeys((session) => fn(markedSession(session))),
    onConnection: (fn) => host.onConnection((own) => fn(marked(own))),
    outside: (fn) => host.outside(fn),
  }
}

/** Whether a statement is one that an advisor has sent: advice is about those of the user. */
export function isOwnStatement(sql: string): boolean {
  return sql.startsWith(mark)
}

function markedSession(session: HostSession): HostSession {
  return {
    query: (sql, parameters) => session.query(mark + sql, parameters),
    run: (sql, parameters) => session.run(mark + sql, parameters),
  }
}
