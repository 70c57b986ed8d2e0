import { describeBehaviour } from './behaviour.ts'
import { mysql2Pool } from './drivers.ts'

describeBehaviour(mysql2Pool)
