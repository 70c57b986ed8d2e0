import { createHash } from 'node:crypto'
import { type Steps, wait } from '@keelson/core'
import type { HostSession } from '../../host/host.ts'
import type { LockNames, MigrationEngine, TableState } from './engine.ts'

/** An advisory lock, which PostgreSQL keeps by database. */
export const postgresqlMigrations: MigrationEngine = {
  fileQuery: undefined,
  longText: 'text',
  createsSchemas: true,
  isolationLevel: 'read committed',
  keepsOutByMark: false,
  withSettings: undefined,
  *hasTable(session, name) {
    const sql = 'select pg_catalog.to_regclass($1) is not null as found'
    const [row] = yield* wait(session.query(sql, [name]))
    return row!['found'] === true
  },
  tryLock: (session, lock) => takeAll(session, lock, 'pg_try_advisory_xact_lock'),
  sessionLock: {
    *tryLock(session, lock) {
      // Of several keys the session would keep the first ones.
      return yield* takeAll(
        session,
        { ...lock, keys: lock.keys.slice(0, 1) },
        'pg_try_advisory_lock',
      )
    },
    *release(session, lock) {
      yield* wait(session.query(`select pg_advisory_unlock(${numberOf(lock.keys[0]!)})`))
    },
  },
  *holder(session, lock) {
    for (const key of lock.keys) {
      const number = BigInt(numberOf(key))
      const [row] = yield* wait(
        session.query(holderSql, [
          (BigInt.asUintN(64, number) >> 32n).toString(),
          BigInt.asUintN(32, number).toString(),
        ]),
      )
      if (row !== undefined) return String(row['holder'])
    }
    return undefined
  },
  tableStates,
}

const holderSql = `select 'backend ' || a.pid || case when a.application_name = '' then '' else ' (' || a.application_name || ')' end ||
  coalesce(', in a transaction for ' || round(extract(epoch from clock_timestamp() - a.xact_start)) || ' s', '') as holder
from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.classid::text = $1 and l.objid::text = $2
  and l.database = (select oid from pg_catalog.pg_database where datname = current_database())`

function* takeAll(session: HostSession, { keys }: LockNames, take: string): Steps<boolean> {
  for (const key of keys) {
    const [row] = yield* wait(session.query(`select ${take}(${numberOf(key)}) as taken`))
    if (row!['taken'] !== true) return false
  }
  return true
}

/** A key is a number of 64 bits; one that is a number already is that of somebody else's lock. */
function numberOf(key: string): string {
  if (/^\d+$/.test(key)) return key
  return createHash('sha256').update(key).digest().readBigInt64BE().toString()
}

/**
 * Others delete rows meanwhile, so that counting says nothing: PostgreSQL itself counts what this transaction deletes, with
 * what foreign keys and triggers delete for it. (`track_counts = off`: only what is truncated or dropped is seen.)
 */
function* tableStates(session: HostSession): Steps<readonly TableState[]> {
  const rows = yield* wait(
    session.query(`select c.oid::text as id, c.relname as name, c.relfilenode::text as storage,
  pg_catalog.pg_relation_size(c.oid) = 0 as is_empty, pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) as deleted,
  (select pg_catalog.array_to_string(pg_catalog.array_agg(p.relname), chr(10)) from pg_catalog.pg_inherits i
    join pg_catalog.pg_class p on p.oid = i.inhparent where i.inhrelid = c.oid) as parents
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and left(n.nspname, 3) <> 'pg_'`),
  )
  return rows.map((row) => ({
    id: String(row['id']),
    name: String(row['name']),
    parents: (row['parents'] as string | null)?.split('\n') ?? [],
    rows: -Number(row['deleted']),
    storage: String(row['storage']),
    isEmpty: row['is_empty'] === true,
  }))
}
