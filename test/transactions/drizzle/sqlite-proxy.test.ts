import { describeBehaviour } from './behaviour.ts'
import { sqliteProxy } from './drivers.ts'

describeBehaviour(sqliteProxy)
