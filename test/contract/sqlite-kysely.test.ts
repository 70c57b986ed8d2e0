import { sqlite } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { kysely, kyselyCallbacks } from './orms/kysely.ts'

describeContract(sqlite, kysely())
describeContract(sqlite, kyselyCallbacks())
