import { methodOf } from '../sql/index-method.ts'
import { keyBytes, nameOfKey } from './key-bytes.ts'
import { type EngineRules, unsupported } from './objection.ts'

/** @see https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html */
const maxKeyBytes = 3_072

/** @see https://dev.mysql.com/doc/refman/8.4/en/create-index.html */
export const mysqlRules: EngineRules = {
  title: 'MySQL',
  maxKeys: 16,
  readsInOrder: true,

  objectionTo(index, table) {
    if (index.where !== undefined) {
      return {
        code: 'MYSQL_PARTIAL',
        why: 'MySQL has no partial indexes',
        instead: index.unique
          ? 'Make a generated column that is NULL for the other rows, and demand that it be unique'
          : 'Make what the predicate compares the first key, and leave out the predicate',
      }
    }
    if (methodOf(index, table.engine) === 'hash') {
      return unsupported(
        'InnoDB makes a B-tree of an index of the method hash',
        'Leave out the method',
      )
    }
    const width = keyBytes(index, table)
    if ('unbounded' in width) {
      return {
        code: 'MYSQL_UNBOUNDED_TEXT',
        why: `MySQL can index only the beginning of a text or blob without a bound, as ${nameOfKey(width.unbounded, table)} is`,
        instead: 'Give it a maxLength of at most 768',
      }
    }
    if (width.bytes <= maxKeyBytes) return undefined
    return {
      code: 'MYSQL_UNBOUNDED_TEXT',
      why: `an entry of an index has at most 3,072 bytes, and these keys can have ${width.bytes.toLocaleString('en')}`,
      instead: 'Give the texts a maxLength, together at most 768',
    }
  },

  objectionToPattern: () => undefined,
}
