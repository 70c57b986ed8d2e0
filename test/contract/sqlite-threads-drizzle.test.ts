import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { drizzle } from './orms/drizzle.ts'

describeContract(sqliteThreads, drizzle())
