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

describe('the placeholders of a driver', () => {
  for (const [command, values, filled] of [
    ['kill {member}', { member: 'shop-1' }, 'kill shop-1'],
    ['kill {member}', { member: "a'; rm -rf /" }, `kill 'a'\\''; rm -rf /'`],
    ['set {variables}', { variables: ['A=1', 'B={member}'], member: 'x' }, "set A=1 'B={member}'"],
    ["get -o jsonpath='{range .items[*]}{end}'", { member: 'x' }, "get -o jsonpath='{range .items[*]}{end}'"],
  ] as const)
    it(`turn ${command} into ${filled}`, () => {
      expect(fillCommand(command, values)).to.equal(filled);
    });
});

describe('the driver systemd', () => {
  const alive = fillCommand(drivers.systemd?.alive ?? '', { member: 'shop@1.service' });

  /** Runs "alive" with functions of the shell in place of the programs, and returns its code. */
  function codeWith(systemctl: string, state = 'Ss'): number {
    const script = `systemctl() { ${systemctl}; }; ps() { echo '${state}'; }; ${alive}`;
    try {
      execFileSync('/bin/sh', ['-c', script], { stdio: 'ignore' });
      return 0;
    } catch (error) {
      return (error as { readonly status: number }).status;
    }
  }

  const answer = (state: string) =>
    `case "$1" in is-active) echo ${state}; test ${state} = active ;; *) echo 7 ;; esac`;

  it('says that an active unit is alive, and that one that has ended or hangs is not', () => {
    expect(codeWith(answer('active'))).to.equal(0);
    expect(codeWith(answer('failed'))).to.equal(1);
    expect(codeWith(answer('active'), 'Tsl')).to.equal(1);
  });

  it('says nothing about a unit when systemd does not answer', () => {
    expect(codeWith('echo "Failed to connect to bus" >&2; return 1')).to.equal(126);
  });
});
