import type { BeginSettings } from '../scope/line.ts'

/** BEGIN with its settings, in the words of PostgreSQL. */
export function postgresBegin({ isolationLevel, accessMode }: BeginSettings): string {
  return ['begin', ...postgresModes({ isolationLevel, accessMode })].join(' ')
}

/** What SET TRANSACTION takes. */
export function postgresModes({ isolationLevel, accessMode }: BeginSettings): string[] {
  const modes: string[] = []
  if (isolationLevel !== undefined) modes.push(`isolation level ${isolationLevel}`)
  if (accessMode !== undefined) modes.push(accessMode)
  return modes
}
