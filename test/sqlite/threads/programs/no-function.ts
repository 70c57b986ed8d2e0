// A module that a database cannot take as its `connectionModule`: it exports no function.
export const nothing = 1
