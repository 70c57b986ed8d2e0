/** Whether two texts of digits, with or without a point and an exponent, are one number. */
export function sameNumber(one: string, other: string): boolean {
  return one === other || normalForm(one) === normalForm(other)
}

function normalForm(text: string): string | undefined {
  const parts = /^(-?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text)
  if (parts === null) return undefined
  const [, sign = '', whole = '', part = '', exponent = '0'] = parts
  const digits = (whole + part).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  const power = Number(exponent) - part.length + digits.length - significant.length
  return significant === '' ? '0' : `${sign}${significant}e${power}`
}
