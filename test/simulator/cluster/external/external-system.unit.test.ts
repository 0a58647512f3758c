import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { type DriverCommands, fillCommand } from '#src/simulator/cluster/external/driver.js';
import { drivers } from '#src/simulator/cluster/external/drivers/registry.js';
import { ExternalSystem } from '#src/simulator/cluster/external/external-system.js';
import type { ShellEnd } from '#src/simulator/cluster/processes/shell.js';

const commands: DriverCommands = { alive: 'alive {member}' };

function systemWith(end: Partial<ShellEnd>): ExternalSystem {
  const whole: ShellEnd = { ok: false, late: false, how: 'ended with code 1', said: '', printed: '', ...end };
  return new ExternalSystem({ commands, selector: 'app=shop', withinMs: 1_000 }, async () => whole);
}

describe('the command "alive" of a driver', () => {
  for (const [end, expected] of [
    [{ ok: true, how: 'ended with code 0' }, true],
    [{ how: 'ended with code 1' }, false],
    [{ how: 'ended with code 22' }, false],
  ] as const)
    it(`says that a member is ${expected ? 'alive' : 'not alive'} when it ${end.how}`, async () => {
      expect((await systemWith(end).alive('shop-1')).ok).to.equal(expected);
    });

  for (const end of [
    { how: 'ended with code 126' },
    { how: 'ended with code 127' },
    { how: 'ended by SIGKILL' },
    { how: 'ended by spawn /bin/sh EAGAIN' },
    { how: 'did not end within 5 s', late: true },
  ])
    it(`says nothing about a member when it ${end.how}`, async () => {
      const said = await systemWith(end)
        .alive('shop-1')
        .catch((error: Error) => error.message);
      expect(said).to.equal(`"alive" of shop-1 ${end.how}`);
    });
});

describe('the names of members in answers', () => {
  it('stand for a member, unless several members have the same name', async () => {
    const printed = 'shop-1 4f2a web\nshop-2 77b0 web\n';
    const spec = { commands: { ...commands, list: 'list' }, selector: 'app=shop', withinMs: 1_000 };
    const end = { ok: true, late: false, how: 'ended with code 0', said: '', printed };
    const system = new ExternalSystem(spec, async () => end);
    await system.list();
    expect(['4f2a', 'shop-2', 'web'].map(name => system.naming.nameOf(name))).to.deep.equal([
      'shop-1',
      'shop-2',
      'web',
    ]);
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
