import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type EngineName, invalidOption, type Steps, wait } from '@keelson/core'
import { checksumOf } from '../migrate/checksum.ts'
import { sourceError } from '../migrate/errors.ts'
import type { Migration } from '../migrate/migration.ts'
import { declaresNoTransaction, isBlank } from '../migrate/sql-text.ts'

/** A migration of drizzle-kit's. */
export interface FolderMigration extends Migration {
  readonly content: string
  /** When it was generated, in milliseconds of the epoch: what Drizzle's history knows it by. */
  readonly when: number
}

interface JournalEntry {
  readonly tag: string
  readonly when: number
}

/** The dialects of drizzle-kit whose SQL an engine runs. */
const dialects: Readonly<Record<EngineName, readonly string[]>> = {
  sqlite: ['sqlite', 'turso'],
  duckdb: ['postgresql'],
  postgresql: ['postgresql'],
  mysql: ['mysql'],
}

/** @throws {MigrationRefusedError} `MIGRATION_SOURCE` */
export function readMigrationFolder(
  where: string,
  folder: unknown,
  engine: EngineName,
): readonly FolderMigration[] {
  if (typeof folder !== 'string') {
    invalidOption(where, 'migrations', folder, 'the folder that `drizzle-kit generate` writes to')
  }
  const { dialect, entries } = readJournal(folder)
  if (dialect !== undefined && !dialects[engine].includes(dialect)) {
    throw sourceError(
      `The migrations in ${resolve(folder)} are for ${dialect}, and the database is ${engine}. ` +
        `Generate them with \`dialect: '${dialects[engine][0]!}'\`.`,
    )
  }
  const ordered = entries.toSorted((one, other) => one.when - other.when)
  for (const [index, { tag, when }] of ordered.entries()) {
    const other = ordered[index + 1]
    if (other?.when !== when) continue
    throw sourceError(
      `The journal in ${resolve(folder)} gives "${tag}" and "${other.tag}" the same \`when\`, by which Drizzle's history ` +
        'tells migrations apart. Generate the later one anew.',
      [tag, other.tag],
    )
  }
  return ordered.map((entry) => readMigration(folder, entry))
}

function readJournal(folder: string): {
  dialect: string | undefined
  entries: readonly JournalEntry[]
} {
  const path = resolve(join(folder, 'meta', '_journal.json'))
  let journal: { readonly dialect?: unknown; readonly entries?: unknown }
  try {
    journal = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw sourceError(
      `Cannot read the journal ${path}: ${(error as Error).message}. Run \`drizzle-kit generate\`, or pass the folder that it writes to: ` +
        'a relative one is taken from the directory in which the process was started. Nothing was migrated.',
      [],
      error,
    )
  }
  const { dialect, entries } = journal
  const isEntry = (entry: Partial<JournalEntry> | null): boolean =>
    typeof entry?.tag === 'string' && Number.isFinite(entry.when)
  if (!Array.isArray(entries) || !entries.every(isEntry)) {
    throw sourceError(
      `The journal ${path} has no list of entries with \`tag\` and \`when\`. Generate it anew.`,
    )
  }
  return { dialect: typeof dialect === 'string' ? dialect : undefined, entries }
}

function readMigration(folder: string, { tag, when }: JournalEntry): FolderMigration {
  const path = resolve(join(folder, `${tag}.sql`))
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    throw sourceError(
      `The journal lists "${tag}", and its file cannot be read: ${(error as Error).message}. Bring the file back. Nothing was migrated.`,
      [tag],
      error,
    )
  }
  const statements = content.split('--> statement-breakpoint').filter((text) => !isBlank(text))
  return {
    name: tag,
    when,
    content,
    checksum: checksumOf('file', content),
    transaction: !declaresNoTransaction(content),
    hasDown: false,
    statements,
    *run(session, _direction, sending): Steps<void> {
      for (const statement of statements) {
        sending(statement)
        yield* wait(session.run(statement))
      }
    },
  }
}
