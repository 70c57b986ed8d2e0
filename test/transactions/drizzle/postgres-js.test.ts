import { describeBehaviour } from './behaviour.ts'
import { postgresJsPool } from './drivers.ts'

describeBehaviour(postgresJsPool)
