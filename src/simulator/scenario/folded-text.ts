/**
 * Joins words that the file broke at a hyphen: YAML folds `log-`, a line end and `ins` into `log- ins`, which is `log-ins`.
 * `source` is the same text as it stands in the file: "pre- and post-reads" within one of its lines stays as it is.
 */
export function joinBrokenWords(folded: string, source: string): string {
  const atSpaces = /(?<=\p{L})- (?=\p{L})/gu;
  const inSource = source.match(/(?<=\p{L})-(?: |\r?\n[ \t]*)(?=\p{L})/gu) ?? [];
  // YAML keeps some line ends as they are, and then it is not clear which place is which.
  if (folded.match(atSpaces)?.length !== inSource.length) return folded;
  let next = 0;
  return folded.replaceAll(atSpaces, found => (inSource[next++]?.includes('\n') ? '-' : found));
}
