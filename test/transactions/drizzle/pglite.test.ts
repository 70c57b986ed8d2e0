import { describeBehaviour } from './behaviour.ts'
import { pglite } from './drivers.ts'

describeBehaviour(pglite)
