import { isBlank, trimBlanks } from '../../shared/white-space.js';

/** Returns the raw value of the named cookie (RFC 6265 §4.2.1); `nth` selects a copy, from 0. */
export function readCookieValue(header: string | undefined, name: string, nth: number): string | undefined {
  if (header === undefined) return undefined;
  const pair = `${name}=`;
  let skip = nth;
  for (let at = header.indexOf(pair); at !== -1; at = header.indexOf(pair, at + 1)) {
    if (startsPair(header, at) && skip-- === 0)
      return trimBlanks(header.slice(at + pair.length, endOfPair(header, at)));
  }
  return undefined;
}

/** Returns the header without the named cookie; undefined when nothing is left. */
export function removeCookie(header: string, name: string): string | undefined {
  if (!header.includes(`${name}=`)) return header;
  if (!header.includes(';')) return trimBlanks(header).startsWith(`${name}=`) ? undefined : header;
  const kept = header.split(';').filter(pair => !trimBlanks(pair).startsWith(`${name}=`));
  const rest = trimBlanks(kept.join(';'));
  return rest === '' ? undefined : rest;
}

/** Whether a pair starts here, after nothing but blanks since the last semicolon: `xholdfast=1` is another cookie. */
function startsPair(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(header[before])) before -= 1;
  return before < 0 || header[before] === ';';
}

function endOfPair(header: string, at: number): number {
  const end = header.indexOf(';', at);
  return end === -1 ? header.length : end;
}
