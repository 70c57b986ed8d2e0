import { duckdbMemory } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { drizzle } from './orms/drizzle.ts'
import { kysely, kyselyCallbacks } from './orms/kysely.ts'

describeContract(duckdbMemory, kysely())
describeContract(duckdbMemory, kyselyCallbacks())
describeContract(duckdbMemory, drizzle())
