import { expect } from 'chai';
import { joinBrokenWords, parseScenario } from '#src/simulator/scenario/file.js';
import { broken } from './broken-scenario.js';

describe('a text that YAML folded', () => {
  const table: [title: string, source: string, folded: string, joined: string][] = [
    ['joins a word that a line end broke', '>\n  and log-\n  ins too\n', 'and log- ins too', 'and log-ins too'],
    ['joins it in a file with CRLF', '>\r\n  log-\r\n  ins', 'log- ins', 'log-ins'],
    ['joins it in a plain value of two lines', 'log-\n  ins', 'log- ins', 'log-ins'],
    ['keeps a hyphen within a line', '>\n  pre- and\n  post-reads', 'pre- and post-reads', 'pre- and post-reads'],
    ['distinguishes the two', '>\n  pre- and log-\n  ins', 'pre- and log- ins', 'pre- and log-ins'],
    ['keeps a dash between words', '>\n  it fails -\n  and heals', 'it fails - and heals', 'it fails - and heals'],
    ['keeps a number and its range', '>\n  from 1-\n  3 of them', 'from 1- 3 of them', 'from 1- 3 of them'],
    ['joins nothing across a kept line end', '|\n  log-\n  ins', 'log-\nins', 'log-\nins'],
    ['leaves a text without a source unchanged', '', 'log- ins', 'log- ins'],
  ];
  for (const [title, source, folded, joined] of table) {
    it(title, () => expect(joinBrokenWords(folded, source)).to.equal(joined));
  }

  it('is complete in the parsed scenario', () => {
    const text = broken('why: To be broken.', 'why: >\n  removals and log-\n  ins too');
    expect(parseScenario(text, 'test.yaml').why).to.equal('removals and log-ins too');
  });
});
