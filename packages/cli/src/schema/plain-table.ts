/** `chars` of a table without lines. */
export const plainTable: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'top,top-mid,top-left,top-right,bottom,bottom-mid,bottom-left,bottom-right,left,left-mid,mid,mid-mid,right,right-mid'
      .split(',')
      .map((name) => [name, '']),
  ),
  middle: ' ',
}
