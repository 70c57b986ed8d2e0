import { describeBehaviour } from './behaviour.ts'
import { libsqlFile } from './drivers.ts'

describeBehaviour(libsqlFile)
