import { sqlite } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { timedDrizzle, timedTransactionsDrizzle } from './orms/timing.ts'

describeContract(sqlite, timedDrizzle())
describeContract(sqlite, timedTransactionsDrizzle())
