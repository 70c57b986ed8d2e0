import { started } from '../started.ts'

/**
 * Wraps a listener of the user so that it cannot change what it observes: a throw, or a rejected promise, is
 * swallowed and reported once as a process warning (`KEELSON_LISTENER`). Nothing ever waits for the listener.
 *
 * @param name the listener as the user wrote it: `onEvent of pool "readers"`
 */
export function guardListener<E>(
  name: string,
  listener: (event: E) => unknown,
): (event: E) => void {
  let warned = false
  const failed = (error: unknown): void => {
    if (warned) return
    warned = true
    process.emitWarning(`${name} threw; this and its later errors are ignored. ${String(error)}`, {
      type: 'KeelsonWarning',
      code: 'KEELSON_LISTENER',
    })
  }
  return (event) => {
    try {
      const result = started(listener(event))
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
