import { duckdbMemory } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { inOuterTransaction, joining } from './orms/in-outer-transaction.ts'
import { transactionsDrizzle, wrappedDrizzle } from './orms/transactions-drizzle.ts'

describeContract(duckdbMemory, wrappedDrizzle())
describeContract(duckdbMemory, transactionsDrizzle())
describeContract(
  duckdbMemory,
  inOuterTransaction(transactionsDrizzle({ defaults: { propagation: 'required' } }), joining),
)
