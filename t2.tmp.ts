import { Kysely, PostgresDialect, PGliteDialect, sql, type Dialect } from 'kysely'
import { PGlite } from '@electric-sql/pglite'
import { DuckDBDialect } from '@keelson/duckdb/kysely'
import { SqliteDialect } from '@keelson/sqlite/kysely'
import { withTransactions, transaction, outside, inTransaction, afterCommit, afterRollback, withRollback } from '@keelson/transactions/kysely'
import pg from 'pg'
const which = process.argv[2]
const dialects: Record<string, () => Dialect> = {
  pglite: () => new PGliteDialect({ pglite: new PGlite() }),
  pg: () => new PostgresDialect({ pool: new pg.Pool({ connectionString: process.argv[3], max: 3 }) }),
  duckdb: () => new DuckDBDialect({ path: ':memory:' }),
  sqlite: () => new SqliteDialect({ path: ':memory:' }),
}
const db = new Kysely<any>({ dialect: withTransactions(dialects[which]!(), which === 'duckdb' ? { defaults: { propagation: 'required' } } : {}) })
await sql`drop table if exists t`.execute(db)
await sql`create table t (v text unique)`.execute(db)
const add = (v: string, on = db) => on.insertInto('t').values({ v }).execute()
const names = async () => (await db.selectFrom('t').select('v').orderBy('v').execute()).map((r: any) => r.v).join()
const out = (p: Promise<unknown>) => p.then((v) => ['ok', v], (e) => [e.name, e.message.slice(0, 150), e.cause?.name])
console.log('basic', await out(transaction(db, async (tx) => { await add('a'); await add('b', tx as any); return inTransaction(db) })), await names())
console.log('swallowed', await out(transaction(db, async () => { await add('x'); await add('a').catch(() => {}); return 1 })), await names())
console.log('savepoint heals', await out(transaction(db, async () => { await add('c'); await transaction(db, async () => { await add('a') }).catch((e) => console.log('inner', e.name)); await add('d') })), await names())
console.log('iso', await out(transaction(db, async () => (await sql`select 1 as x`.execute(db)).rows, { isolationLevel: 'serializable' })))
console.log('ro', await out(transaction(db, async () => { await add('ro') }, { accessMode: 'read only' })), await names())
let z: any
console.log('zombie', await out(transaction(db, async () => { await Promise.all([(async () => { throw new Error('A') })(), (async () => { await add('B1'); await new Promise(r => setTimeout(r, 5)); z = out(add('B2')); await z })()]) })), await names())
await new Promise(r => setTimeout(r, 20)); console.log(await z)
console.log('hooks', await out(transaction(db, async (_tx, s) => { s.afterCommit(async () => console.log('after', inTransaction(db), await names())); s.beforeCommit(() => add('h')); })))
console.log('timeout', await out(transaction(db, async () => { await add('t'); await new Promise(r => setTimeout(r, 100)); await add('t2') }, { timeoutMs: 30 })), await names())
if (which === 'pg') console.log('timeout sleeping', await out(transaction(db, async () => { await sql`select pg_sleep(5)`.execute(db) }, { timeoutMs: 200 })), await names())
console.log('new', await out(transaction(db, async () => { await add('n'); await transaction(db, () => add('n2'), { propagation: 'requiresNew' }); throw new Error('x') })), await names())
console.log('unawaited', await out(transaction(db, async () => { void add('u1'); void add('u2'); void add('u3').catch(()=>{}) })), await names())
console.log('plain root', await out(db.transaction().execute(async (trx) => { await add('p'); await afterCommit(db, () => console.log('hook')); await trx.insertInto('t').values({ v: 'p2' }).execute() })), await names())
console.log('after end', await out((async () => { let t: any; await transaction(db, async (tx) => { t = tx }); await add('late', t) })()))
console.log('withRollback', await out(withRollback(db, async () => { await add('wr'); return names() })), await names())
console.log('stream', await out(transaction(db, async () => { if (which==='pglite'||which==='pg') return; for await (const r of db.selectFrom('t').selectAll().stream()) { await add('in stream') } })), await names())
await db.destroy()
