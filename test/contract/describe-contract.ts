import { describe } from 'vitest'
import { engines, type Engine } from '../support/engines.ts'
import { closingCases } from './cases/closing.ts'
import { concurrencyCases } from './cases/concurrency.ts'
import { countCases } from './cases/counts.ts'
import { errorCases } from './cases/errors.ts'
import { identifierCases } from './cases/identifiers.ts'
import { introspectionCases } from './cases/introspection.ts'
import { isolationCases } from './cases/isolation.ts'
import { migrationCases } from './cases/migrations.ts'
import { nestingCases } from './cases/nesting.ts'
import { programCases } from './cases/programs.ts'
import { queryCases } from './cases/queries.ts'
import { rowCases } from './cases/rows.ts'
import { signalCases } from './cases/signals.ts'
import { streamCases } from './cases/streams.ts'
import { transactionFailureCases } from './cases/transaction-failures.ts'
import { transactionSettingCases } from './cases/transaction-settings.ts'
import { transactionCases } from './cases/transactions.ts'
import { valueCases } from './cases/values.ts'
import { contractOf, type Contract } from './contract.ts'
import type { Orm } from './orm.ts'

/** States everything that an engine promises under an ORM. `ENGINES=duckdb` leaves the other engines out. */
export function describeContract(engine: Engine, orm: Orm): void {
  describe.skipIf(!engines.includes(engine))(`${engine.name} × ${orm.name}`, () => {
    for (const { name, scope, cases } of topics) {
      if (orm.scope === 'transactions' && scope !== 'transactions') continue
      describe(name, () => cases(contractOf(engine, orm)))
    }
  })
}

interface Topic {
  readonly name: string
  /** `'transactions'`: checked again for an ORM's second kind of transaction. */
  readonly scope: 'everything' | 'transactions'
  readonly cases: (contract: Contract) => void
}

/** Everything that is promised, in the order in which it is read best. */
const topics: readonly Topic[] = [
  { name: 'rows', scope: 'everything', cases: rowCases },
  { name: 'values', scope: 'everything', cases: valueCases },
  { name: 'identifiers', scope: 'everything', cases: identifierCases },
  { name: 'counts', scope: 'everything', cases: countCases },
  { name: 'queries', scope: 'everything', cases: queryCases },
  { name: 'errors', scope: 'everything', cases: errorCases },
  { name: 'streams', scope: 'everything', cases: streamCases },
  { name: 'signals', scope: 'everything', cases: signalCases },
  { name: 'concurrent calls', scope: 'everything', cases: concurrencyCases },
  { name: 'transactions', scope: 'transactions', cases: transactionCases },
  { name: 'isolation', scope: 'transactions', cases: isolationCases },
  { name: 'failures in transactions', scope: 'transactions', cases: transactionFailureCases },
  { name: 'transaction settings', scope: 'transactions', cases: transactionSettingCases },
  { name: 'nested transactions', scope: 'transactions', cases: nestingCases },
  { name: 'random programs', scope: 'transactions', cases: programCases },
  { name: 'migrations', scope: 'everything', cases: migrationCases },
  { name: 'introspection', scope: 'everything', cases: introspectionCases },
  { name: 'closing', scope: 'transactions', cases: closingCases },
]
