/**
 * What the process ends with, whatever the command: a script can tell "nothing to do" from "something to do" and from "it would
 * be unsafe" without reading what was printed.
 */
export const exitCodes = {
  /** It worked, and there is nothing to do. */
  clean: 0,
  /** It did not work: the reason is on standard error. */
  error: 1,
  /** There is something to do that was not done. */
  changes: 2,
  /** Something would be unsafe, and was not done. */
  unsafe: 3,
} as const

/** One of `exitCodes`. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
