// Why something that an ORM promises alone is otherwise with @keelson/transactions.

export const driverRefusals =
  '@keelson/transactions checks what a transaction is asked for before the driver does'
export const explicitHandles =
  'inside a transaction `db`, and the handles of transactions around it, belong to it'
