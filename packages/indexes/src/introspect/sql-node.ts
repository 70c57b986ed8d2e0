/** A piece of SQL that is an expression, apart from how it is written. */
export type SqlNode =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly digits: string }
  /** TRUE, FALSE, NULL, CURRENT_DATE and the like. */
  | { readonly kind: 'word'; readonly word: string }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: SqlNode }
  | {
      readonly kind: 'binary'
      readonly operator: string
      readonly left: SqlNode
      readonly right: SqlNode
    }
  | { readonly kind: 'call'; readonly function: string; readonly arguments: readonly SqlNode[] }
  | { readonly kind: 'cast'; readonly operand: SqlNode; readonly type: string }
  | { readonly kind: 'isNull'; readonly operand: SqlNode; readonly not: boolean }
  | {
      readonly kind: 'in'
      readonly operand: SqlNode
      readonly values: readonly SqlNode[]
      readonly not: boolean
    }
  | {
      readonly kind: 'between'
      readonly operand: SqlNode
      readonly low: SqlNode
      readonly high: SqlNode
      readonly not: boolean
    }
  | {
      readonly kind: 'case'
      /** What the conditions are compared with. */
      readonly operand?: SqlNode
      readonly branches: readonly { readonly when: SqlNode; readonly result: SqlNode }[]
      readonly otherwise?: SqlNode
    }
  | { readonly kind: 'list'; readonly items: readonly SqlNode[] }
  | { readonly kind: 'collate'; readonly operand: SqlNode; readonly collation: string }
