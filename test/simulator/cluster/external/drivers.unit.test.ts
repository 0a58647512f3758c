import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { drivers, fillCommand, parseList } from '#src/simulator/cluster/external/drivers.js';

describe('the output of "list"', () => {
  it('gives the name of each member, and further names of its answers', () => {
    expect(parseList('shop_backend-1_1 1a2b backend-1\n\n  shop_backend-2_1 \n')).to.deep.equal([
      { name: 'shop_backend-1_1', names: ['shop_backend-1_1', '1a2b', 'backend-1'] },
      { name: 'shop_backend-2_1', names: ['shop_backend-2_1'] },
    ]);
  });

  for (const line of ['$(reboot)', '-rf', 'Error:', "a'b", ';'])
    it(`is refused when it names ${line}`, () => {
      expect(() => parseList(line)).to.throw(`"list" printed ${JSON.stringify(line)}, expected the name of a member`);
    });
});

describe('a command of a driver', () => {
  for (const value of ['plain-1', 'it\'s; $(echo no) `echo no` "x"', '*', '', 'a b'])
    it(`gets ${JSON.stringify(value)} as one word`, () => {
      const command = fillCommand('printf "<%s>" {member} {selector}', { member: value, selector: value });
      expect(execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' })).to.equal(`<${value}><${value}>`);
    });

  for (const [name, { list = '', alive }] of Object.entries(drivers))
    it(`of ${name} is a command that the shell can read`, () => {
      for (const command of [list, alive])
        execFileSync('/bin/sh', ['-n', '-c', fillCommand(command, { member: 'a', selector: 'b' })]);
    });
});
