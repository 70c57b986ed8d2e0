/** Words with which a statement begins, ends or changes a transaction. */
const control =
  /^(?:begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction|set\s+(?:session\s+|local\s+|@@)?autocommit|xa\s)\b/i

/** What MySQL commits before it runs it: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html */
const implicitCommit =
  /^(?:alter|create(?!\s+temporary\s+table)|drop(?!\s+temporary\s+table)|rename|truncate|grant|revoke|set\s+password|lock\s+tables|unlock\s+tables|analyze\s+table|cache\s+index|check\s+table|flush|load\s+index|optimize\s+table|repair\s+table|reset|install|uninstall)\b/i

/**
 * Finds the statement in a text that would begin or end a transaction, or undefined. Words inside quotes and comments do
 * not count, nor do those in the body of a `CREATE ...`.
 *
 * @param commitsImplicitly whether the engine is one that commits before DDL
 */
export function transactionControl(sql: string, commitsImplicitly: boolean): string | undefined {
  if (!mayControl.test(sql)) return undefined
  for (const statement of statementsOf(sql)) {
    if (control.test(statement)) return statement
    if (commitsImplicitly && implicitCommit.test(statement)) return statement
    // What follows in a trigger's or function's body belongs to it.
    if (/^create\b/i.test(statement) && !hasNoBody.test(statement)) return undefined
  }
  return undefined
}

const hasNoBody =
  /^create\s+(?:(?:or\s+replace|temp|temporary|unlogged|unique)\s+)*(?:table|index|view)\b/i

/** Nearly every statement is told by its first letters, without being taken apart. */
const mayControl = /^(?!\s*(?:select|insert|update|delete|with|values|merge|pragma)\b[^;]*$)/i

/** The statements of a text, without the comments and blanks before each, and without what is quoted. */
function* statementsOf(sql: string): Generator<string> {
  let statement = ''
  for (let at = 0; at < sql.length;) {
    passed.lastIndex = at
    if (passed.test(sql)) {
      if (statement !== '') statement += ' '
      at = passed.lastIndex
      continue
    }
    const character = sql[at++]!
    if (character === ';') {
      if (statement !== '') yield statement
      statement = ''
    } else if (statement !== '' || !/\s/.test(character)) statement += character
  }
  if (statement !== '') yield statement
}

/** A comment, or something in quotes, also where it is not closed. */
const passed =
  /--[^\n]*|\/\*[^]*?(?:\*\/|$)|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\$(\w*)\$[^]*?(?:\$\1\$|$)/y
