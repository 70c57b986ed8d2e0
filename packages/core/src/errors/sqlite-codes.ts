// Position in the list is the code's number: sqlite3.h, https://www.sqlite.org/rescode.html
const primary: readonly string[] = (
  'OK ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN ' +
  'PROTOCOL EMPTY SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB NOTICE WARNING'
).split(' ')

// The n-th of a list, counted from 1, has the number `primary | n << 8`. `-` stands for a number nobody uses.
const extended: Readonly<Record<string, string>> = {
  ERROR: 'MISSING_COLLSEQ RETRY SNAPSHOT RESERVESIZE KEY UNABLE',
  ABORT: '- ROLLBACK',
  BUSY: 'RECOVERY SNAPSHOT TIMEOUT',
  LOCKED: 'SHAREDCACHE VTAB',
  READONLY: 'RECOVERY CANTLOCK ROLLBACK DBMOVED CANTINIT DIRECTORY',
  IOERR:
    'READ SHORT_READ WRITE FSYNC DIR_FSYNC TRUNCATE FSTAT UNLOCK RDLOCK DELETE BLOCKED NOMEM ACCESS ' +
    'CHECKRESERVEDLOCK LOCK CLOSE DIR_CLOSE SHMOPEN SHMSIZE SHMLOCK SHMMAP SEEK DELETE_NOENT MMAP GETTEMPPATH ' +
    'CONVPATH VNODE AUTH BEGIN_ATOMIC COMMIT_ATOMIC ROLLBACK_ATOMIC DATA CORRUPTFS IN_PAGE BADKEY CODEC',
  CORRUPT: 'VTAB SEQUENCE INDEX',
  CANTOPEN: 'NOTEMPDIR ISDIR FULLPATH CONVPATH DIRTYWAL SYMLINK',
  CONSTRAINT:
    'CHECK COMMITHOOK FOREIGNKEY FUNCTION NOTNULL PRIMARYKEY TRIGGER UNIQUE VTAB ROWID PINNED DATATYPE',
  AUTH: 'USER',
  NOTICE: 'RECOVER_WAL RECOVER_ROLLBACK RBU',
  WARNING: 'AUTOINDEX',
}

const names: ReadonlyMap<number, string> = new Map(
  primary.flatMap((name, number): [number, string][] => [
    [number, `SQLITE_${name}`],
    ...(extended[name]?.split(' ') ?? []).map((suffix, index): [number, string] => [
      number | ((index + 1) << 8),
      `SQLITE_${name}_${suffix}`,
    ]),
  ]),
)

/**
 * The name of a result code, from the number or name that a driver gives: `2067` and `SQLITE_CONSTRAINT_UNIQUE` both
 * become the latter. A code newer than this list keeps what it is called, or the name of its primary code.
 */
export function sqliteCode(given: number | string): string | undefined {
  if (typeof given === 'number') return names.get(given) ?? names.get(given & 0xff)
  // better-sqlite3's and libsql's word for a number that they have no name for.
  const number = /^UNKNOWN_SQLITE_ERROR_(\d{1,9})$/.exec(given)?.[1]
  if (number !== undefined) return sqliteCode(Number(number))
  return /^SQLITE_[A-Z_]+$/.test(given) ? given : undefined
}

/** The primary code's name: `SQLITE_BUSY` for `SQLITE_BUSY_SNAPSHOT`. */
export function primarySqliteCode(code: string): string {
  return code.split('_', 2).join('_')
}
