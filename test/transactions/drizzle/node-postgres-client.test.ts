import { describeBehaviour } from './behaviour.ts'
import { nodePostgresClient } from './drivers.ts'

describeBehaviour(nodePostgresClient)
