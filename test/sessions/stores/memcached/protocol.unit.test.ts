import { expect } from 'chai';
import { AnswerReader } from '#src/sessions/stores/memcached/protocol.js';

const item = (key: string, text: string, cas = '') =>
  `VALUE ${key} 0 ${Buffer.byteLength(text)}${cas === '' ? '' : ` ${cas}`}\r\n${text}\r\n`;

describe('memcached replies', () => {
  const stream = [
    'STORED\r\n',
    `${item('a', 'tea\r\nEND\r\nü', '17')}${item('b', '')}END\r\n`,
    'END\r\n',
    'STAT evictions 3\r\nSTAT version 1.6.18\r\nEND\r\n',
    'SERVER_ERROR out of memory storing object\r\n',
  ].join('');

  it('are the same for any split of the bytes', () => {
    const bytes = Buffer.from(stream);
    for (let size = 1; size <= bytes.length; size++) {
      const reader = new AnswerReader();
      const answers = [];
      for (let at = 0; at < bytes.length; at += size) answers.push(...reader.read(bytes.subarray(at, at + size)));
      expect(answers.map(({ end }) => end)).to.deep.equal([
        'STORED',
        'END',
        'END',
        'END',
        'SERVER_ERROR out of memory storing object',
      ]);
      expect(answers.map(({ items }) => items.size)).to.deep.equal([0, 2, 0, 0, 0]);
      expect(answers[1]?.items.get('a')).to.deep.equal({ text: 'tea\r\nEND\r\nü', cas: '17' });
      expect(answers[1]?.items.get('b')).to.deep.equal({ text: '', cas: '' });
      expect(answers[3]?.statistics.get('evictions')).to.equal('3');
    }
  });

  for (const [what, bytes] of [
    ['an item that is longer than was said', 'VALUE a 0 2\r\nteaEND\r\n'],
    ['an item whose length is no number', 'VALUE a 0 -2\r\ntea\r\nEND\r\n'],
    ['an item without a length', 'VALUE a 0\r\ntea\r\nEND\r\n'],
    ['an item that would never end', 'VALUE a 0 99999999999\r\n'],
    ['a line that does not end', 'x'.repeat(3_000)],
  ] as const) {
    it(`throw at ${what}`, () => {
      expect(() => new AnswerReader().read(Buffer.from(bytes))).to.throw();
    });
  }
});
