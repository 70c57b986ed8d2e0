import { duckdb } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction, joining } from './orms/in-outer-transaction.ts'
import { transactionsDrizzle, wrappedDrizzle } from './orms/transactions-drizzle.ts'

describeContract(duckdb, wrappedDrizzle())
describeContract(duckdb, transactionsDrizzle())
describeContract(
  duckdb,
  inOuterTransaction(transactionsDrizzle({ defaults: { propagation: 'required' } }), joining),
)
