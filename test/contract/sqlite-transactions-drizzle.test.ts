import { sqlite } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction } from './orms/in-outer-transaction.ts'
import { transactionsDrizzle, wrappedDrizzle } from './orms/transactions-drizzle.ts'

describeContract(sqlite, wrappedDrizzle())
describeContract(sqlite, transactionsDrizzle())
describeContract(sqlite, inOuterTransaction(transactionsDrizzle()))
