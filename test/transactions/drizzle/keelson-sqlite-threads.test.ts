import { describeBehaviour } from './behaviour.ts'
import { ourSqliteThreads } from './drivers.ts'

describeBehaviour(ourSqliteThreads)
