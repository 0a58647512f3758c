import { expect } from 'chai';
import { mayNeverEnd } from '#src/simulator/scenario/journey/pattern-ambiguity.js';

const endless = [
  '(a+)+b',
  '(a|a)*b$',
  '(a|aa)+$',
  '(\\w|\\d)+!',
  '(?:\\s*,\\s*)*x',
  '(a?){30}b',
  '(a?a?)*b',
  '(?:ab|a|b)+c',
  '(x+x+)+y',
  '(([^<]+)*)',
  '<b>(?:[a-z]|[aeiou])*</b>',
  '(?:a{1,3}){20}b',
  '(?:é|[^a])*b',
  '(?:ж|[жз])*b',
];
const harmless = [
  '[^"]+',
  'name="csrf" value="([^"]+)"',
  '<li>([^<]*)</li>',
  'log ?in|sign ?in',
  '(?:[a-z]+-)*[a-z]+',
  '(?:&amp;|&lt;|[^&<])*',
  '<li[^>]*>\\s*<b>([^<]*)</b>\\s*×\\s*(\\d+)',
  '(?:ab?)*c',
  '([a-z]|[0-9])+',
  '(?:a|b){3}(a)\\1(?=c)',
  '(a{2}|b){5}',
  '(?:ab|ac)*d',
  'a*a*b',
  '[\\d]{1,9}|x',
];

describe('a pattern that may never end', () => {
  for (const pattern of endless) it(`is found: ${pattern}`, () => expect(mayNeverEnd(pattern, '')).to.equal(true));

  for (const pattern of harmless)
    it(`is not confused with one that ends: ${pattern}`, () => expect(mayNeverEnd(pattern, '')).to.equal(false));

  it('is found only with the flags that make it endless', () => {
    expect(mayNeverEnd('(?:a|A)*b', '')).to.equal(false);
    expect(mayNeverEnd('(?:a|A)*b', 'i')).to.equal(true);
    expect(mayNeverEnd('(?:.|\\n)*b', 'u')).to.equal(false);
    expect(mayNeverEnd('(?:.|\\n)*b', 's')).to.equal(true);
  });

  it('is found quickly; a pattern that takes long to check is refused too', () => {
    expect(mayNeverEnd('(?:[a-z]?){9}'.repeat(38), '')).to.equal(true);
    expect(mayNeverEnd('((((a{9}){9}){9}){9}){9}', '')).to.equal(true);
    expect(
      mayNeverEnd(`(?:${Array.from({ length: 150 }, (_, i) => String.fromCharCode(0x4e00 + i)).join('|')})*x`, ''),
    ).to.equal(true);
  });
});
