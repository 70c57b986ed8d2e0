/**
 * Keeps an error that happened while another one was being dealt with: a rollback that failed after the statement
 * had. The first error stays the one that is thrown; the later ones are listed in its `suppressed` property (not
 * enumerable, so that it does not change how the error prints or compares).
 *
 * @param error the error that will be thrown; when it cannot carry a property, the later one becomes a process warning
 * @param later the error that must not take its place
 */
export function attachSuppressed(error: unknown, later: unknown): void {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) {
    process.emitWarning(later instanceof Error ? later : String(later))
    return
  }
  const known = (error as { suppressed?: unknown }).suppressed
  const suppressed = Array.isArray(known) ? [...known, later] : [later]
  Object.defineProperty(error, 'suppressed', {
    value: suppressed,
    configurable: true,
    writable: true,
    enumerable: false,
  })
}
