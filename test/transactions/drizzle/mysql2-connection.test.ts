import { describeBehaviour } from './behaviour.ts'
import { mysql2Connection } from './drivers.ts'

describeBehaviour(mysql2Connection)
