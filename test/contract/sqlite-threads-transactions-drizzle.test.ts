import { sqliteThreads } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction } from './orms/in-outer-transaction.ts'
import { transactionsDrizzle, wrappedDrizzle } from './orms/transactions-drizzle.ts'

describeContract(sqliteThreads, wrappedDrizzle())
describeContract(sqliteThreads, transactionsDrizzle())
describeContract(sqliteThreads, inOuterTransaction(transactionsDrizzle()))
