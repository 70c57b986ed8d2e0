import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { transactionsDrizzle } from './orms/transactions-drizzle.ts'

describeContract(sqliteThreads, transactionsDrizzle())
