const marks: readonly (readonly [tag: RegExp, value: RegExp, what: string])[] = [
  [/<input\b[^>]{0,400}\btype=["']?hidden\b[^>]{0,400}>/i, /(\bvalue=)(["'])[^"']*\2/i, 'a hidden field'],
  [
    /<meta\b[^>]{0,400}\bname=["']?[\w-]*(?:csrf|xsrf)[^>]{0,400}>/i,
    /(\bcontent=)(["'])[^"']*\2/i,
    'a token in its head',
  ],
];

/** Where a page seems to hold what the next request must bring along, in words: its name, never its value. */
export function hiddenFieldIn(page: string): string | undefined {
  for (const [tag, value, what] of marks) {
    const found = tag.exec(page)?.[0];
    if (found !== undefined) return `${what}: ${found.replace(value, '$1$2...$2')}`;
  }
  return undefined;
}
