import {
  PostgresQueryCompiler,
  ValueNode,
  type JSONReferenceNode,
  type LimitNode,
  type OffsetNode,
  type OperationNode,
  type OrActionNode,
} from 'kysely'

/** PostgreSQL's SQL, but for the few places where DuckDB reads the same words in another way. */
export class DuckDBQueryCompiler extends PostgresQueryCompiler {
  /**
   * To DuckDB `a = 1 and j ->> 'b' = 2` is `(a = 1 and j) ->> ('b' = 2)`: no operator binds less than an arrow, which
   * is that of lambda functions too. https://duckdb.org/docs/stable/data/json/json_functions#json-extraction-functions
   */
  protected override visitJSONReference(node: JSONReferenceNode): void {
    this.append('(')
    super.visitJSONReference(node)
    this.append(')')
  }

  /** As PostgreSQL has no paths in quotes, its compiler leaves a backslash, which would take the quote after it along. */
  protected override sanitizeJSONPathMemberValue(value: string): string {
    return super.sanitizeJSONPathMemberValue(value.replaceAll('\\', '\\\\'))
  }

  /** `insert or ignore`, `insert or replace`. */
  protected override visitOrAction(node: OrActionNode): void {
    this.append('or ')
    super.visitOrAction(node)
  }

  protected override visitLimit(node: LimitNode): void {
    if (this.#isConstantInSubquery(node.limit)) this.append(`limit ${node.limit.value}`)
    else super.visitLimit(node)
  }

  protected override visitOffset(node: OffsetNode): void {
    if (this.#isConstantInSubquery(node.offset)) this.append(`offset ${node.offset.value}`)
    else super.visitOffset(node)
  }

  /** A subquery that refers to the statement around it takes no parameter here, and most are made by a helper. */
  #isConstantInSubquery(node: OperationNode): node is ValueNode & { value: number | bigint } {
    return (
      ValueNode.is(node) &&
      (typeof node.value === 'bigint' || Number.isSafeInteger(node.value)) &&
      // The limit itself is the last on the stack, and the query that it belongs to stands before it.
      this.nodeStack.length > 2
    )
  }
}
