import { sqliteMemory } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { drizzle } from './orms/drizzle.ts'
import { kysely, kyselyCallbacks } from './orms/kysely.ts'

describeContract(sqliteMemory, kysely())
describeContract(sqliteMemory, kyselyCallbacks())
describeContract(sqliteMemory, drizzle())
