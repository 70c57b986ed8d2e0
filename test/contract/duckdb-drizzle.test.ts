import { duckdb } from '../support/engines.ts'
import { describeContract } from './describe-contract.ts'
import { drizzle } from './orms/drizzle.ts'

describeContract(duckdb, drizzle())
