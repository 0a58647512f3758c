import { randomInt } from 'node:crypto';

/** Returns a random text that looks like this one: letters, digits and capitals stay what they are. */
export function makeLookAlike(text: string): string {
  return text.replaceAll(/[a-f]|[g-z]|[A-F]|[G-Z]|\d/g, letter => {
    const range = ranges.find(([from, to]) => letter >= from && letter <= to) ?? ['0', '9'];
    const [from, to] = range.map(each => each.charCodeAt(0));
    return String.fromCharCode(randomInt(from ?? 0, (to ?? 0) + 1));
  });
}

/** Letters of hexadecimal digits stay such letters. */
const ranges = [
  ['a', 'f'],
  ['g', 'z'],
  ['A', 'F'],
  ['G', 'Z'],
  ['0', '9'],
] as const;
