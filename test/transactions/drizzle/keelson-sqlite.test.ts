import { describeBehaviour } from './behaviour.ts'
import { ourSqlite } from './drivers.ts'

describeBehaviour(ourSqlite)
