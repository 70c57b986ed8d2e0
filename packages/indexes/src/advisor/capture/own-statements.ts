import type { Host, HostSession, PinnedHost } from '../../host/host.ts'

/** `@keelson/timing` knows it, too: it keeps comments of this form, and leaves such statements out of its workload. */
const mark = '/* keelson advisor */ '

/** The host, whose statements are known for the advisor's own by whoever hears of them. */
export function marked(host: Host): Host {
  return {
    ...markedConnection(host),
    get isInTransaction() {
      return host.isInTransaction
    },
    atomicallyWithoutForeignKeys: (fn) =>
      host.atomicallyWithoutForeignKeys((session) => fn(markedSession(session))),
    onConnection: (fn) => host.onConnection((own) => fn(markedConnection(own))),
  }
}

/** Whether a statement is one that an advisor has sent: advice is about those of the user. */
export function isOwnStatement(sql: string): boolean {
  return sql.startsWith(mark)
}

function markedConnection(host: PinnedHost): PinnedHost {
  const { engine, traits, identity } = host
  return {
    engine,
    traits,
    identity,
    get isInTransaction() {
      return host.isInTransaction
    },
    ...markedSession(host),
    atomically: (fn) => host.atomically((session) => fn(markedSession(session))),
  }
}

function markedSession(session: HostSession): HostSession {
  return {
    query: (sql, parameters) => session.query(mark + sql, parameters),
    run: (sql, parameters) => session.run(mark + sql, parameters),
  }
}
