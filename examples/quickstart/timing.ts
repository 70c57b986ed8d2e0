import type { Timing } from '@keelson/timing'
import { print } from './terminal.ts'

/** Plans are asked for in the background; the report waits for those that are on their way. */
export async function showTiming(timing: Timing): Promise<void> {
  await timing.settled()
  print(timing.report().toString(80))
}
