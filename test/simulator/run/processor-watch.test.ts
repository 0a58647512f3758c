import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import {
  BusyStretch,
  type PressureReading,
  parseAllowedProcessors,
  parseCgroupFolders,
  parseQuota,
  parseThrottledUs,
  parseWaitedUs,
  readPressure,
  wasBusy,
  watchProcessors,
} from '#src/simulator/run/processor-pressure.js';

const lookMs = 200;

/** The changes in 200 ms: the share of the processors that was idle, the share of the time that was waited
 * for. */
interface Moment {
  readonly idle: number;
  readonly waited?: number;
  readonly throttled?: number;
}

function looksOf(moments: readonly Moment[]): PressureReading[] {
  const sum = (until: number, of: (moment: Moment) => number | undefined): number | undefined =>
    moments.some(moment => of(moment) !== undefined)
      ? moments.slice(0, until).reduce((total, moment) => total + (of(moment) ?? 0) * lookMs * 1_000, 0)
      : undefined;
  return Array.from({ length: moments.length + 1 }, (_, until) => ({
    waitedUs: sum(until, ({ waited }) => waited),
    throttledUs: sum(until, ({ throttled }) => throttled),
    processors: { idle: sum(until, ({ idle }) => idle) ?? 0, total: until * lookMs * 1_000 },
  }));
}

function longestMs(moments: readonly Moment[]): number {
  const stretch = new BusyStretch();
  for (const [index, look] of looksOf(moments).entries()) stretch.add(index * lookMs, look);
  return stretch.longestMs;
}

const quiet: Moment = { idle: 0.9, waited: 0.02 };
const full: Moment = { idle: 0, waited: 0.4 };

describe('the longest time with busy processors', () => {
  for (const [what, moments, ms] of [
    ['no reading', [], 0],
    ['an idle machine', [quiet, quiet, quiet], 0],
    ['an ordinary run: processes wait, and some time is idle', [{ idle: 0.2, waited: 0.6 }], 0],
    ['other programs use all processors, and ours get one at once', [{ idle: 0, waited: 0.2 }], 0],
    ['nothing is idle, and ours wait', [full, full, full], 600],
    ['the longer of two stretches, not their sum', [full, full, quiet, full, full, full, quiet, full], 600],
    ['a quota that is used up, on an idle machine', [{ idle: 0.9, waited: 0.1, throttled: 0.5 }], 200],
    ['a quota that is just reached', [{ idle: 0.9, waited: 0.1, throttled: 0.1 }], 0],
    ['no pressure counted, and nothing is idle', [{ idle: 0 }, { idle: 0.04 }, { idle: 0 }], 600],
    ['no pressure counted, and just enough is idle', [{ idle: 0.05 }, { idle: 0.05 }], 0],
  ] as const)
    it(`${what}: ${ms} ms`, () => expect(longestMs(moments)).to.equal(ms));

  it('counts only what lies after a moment', () => {
    const stretch = new BusyStretch();
    const moments = [full, full, full, quiet, full, full, quiet, full];
    for (const [index, look] of looksOf(moments).entries()) stretch.add(index * lookMs, look);
    const since = (ms: number) => stretch.longestSince(ms);
    expect([since(0), since(300), since(500), since(800), since(1_200), since(1_600)]).to.deep.equal([
      600, 400, 400, 400, 200, 0,
    ]);
  });

  it('ignores readings at the same time', () => {
    const [first, second] = looksOf([full]) as [PressureReading, PressureReading];
    expect(wasBusy(first, first, 200)).to.equal(undefined);
    expect(wasBusy(first, second, 0)).to.equal(undefined);
  });

  it('ignores a counter that was reset', () => {
    const [first, second] = looksOf([{ idle: 0.5, waited: 0.9 }]) as [PressureReading, PressureReading];
    expect(wasBusy({ ...first, waitedUs: 9e9, throttledUs: 9e9 }, { ...second, throttledUs: 0 }, 200)).to.equal(false);
  });

  it('grows on this machine while more processes run than there are processors', async () => {
    const watch = watchProcessors();
    const burn = ['-e', 'require("os").setPriority(19); for (;;);'];
    const burners = Array.from({ length: availableParallelism() + 1 }, () => spawn(process.execPath, burn));
    await delay(1_400);
    for (const burner of burners) burner.kill('SIGKILL');
    expect(watch.stop()).to.be.greaterThan(600);
  });

  it('comes from counters that only grow', async () => {
    const before = readPressure();
    await delay(50);
    const after = readPressure();
    expect(after.processors.total).to.be.greaterThan(before.processors.total);
    for (const name of ['waitedUs', 'throttledUs'] as const)
      if (before[name] !== undefined) expect(after[name]).to.be.at.least(before[name]);
  });
});

describe('kernel files about processors', () => {
  const v1 = '9:name=systemd:/\n4:memory:/process_api/e3f6\n2:cpuacct:/\n1:cpu:/docker/ab12\n0::/\n';

  for (const [what, text, folders] of [
    ['cgroup v2 in a container', '0::/\n', { v2: ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'], v1: [] }],
    [
      'cgroup v2 on a host',
      '0::/user.slice/user-1.slice\n',
      {
        v2: [
          '/sys/fs/cgroup/user.slice/user-1.slice',
          '/sys/fs/cgroup',
          '/sys/fs/cgroup/unified/user.slice/user-1.slice',
          '/sys/fs/cgroup/unified',
        ],
        v1: [],
      },
    ],
    [
      'both',
      v1,
      {
        v2: ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'],
        v1: [
          '/sys/fs/cgroup/cpu/docker/ab12',
          '/sys/fs/cgroup/cpu',
          '/sys/fs/cgroup/cpu,cpuacct/docker/ab12',
          '/sys/fs/cgroup/cpu,cpuacct',
        ],
      },
    ],
    [
      'cgroup v1 with a controller of two names',
      '4:cpu,cpuacct:/\n',
      { v2: [], v1: ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'] },
    ],
    ['no cgroups', '', { v2: [], v1: [] }],
  ] as const)
    it(`names the folders of ${what}`, () => expect(parseCgroupFolders(text)).to.deep.equal(folders));

  const pressure = 'some avg10=0.66 avg60=0.82 avg300=0.99 total=15368482\nfull avg10=0.00 avg60=0.00 total=7\n';
  for (const [text, us] of [
    [pressure, 15_368_482],
    ['full avg10=0.00 total=7\n', undefined],
    ['', undefined],
  ] as const)
    it(`reads ${us} µs of waiting`, () => expect(parseWaitedUs(text)).to.equal(us));

  for (const [text, us] of [
    ['usage_usec 9\nnr_periods 12\nnr_throttled 3\nthrottled_usec 4500\n', 4_500],
    ['nr_periods 12\nnr_throttled 3\nthrottled_time 4500000\n', 4_500],
    ['nr_periods 0\nnr_throttled 0\nthrottled_time 0\n', undefined],
    ['usage_usec 9\nuser_usec 9\n', undefined],
    ['', undefined],
  ] as const)
    it(`reads ${us} µs of throttling`, () => expect(parseThrottledUs(text)).to.equal(us));

  for (const [quota, period, processors] of [
    ['max 100000\n', undefined, undefined],
    ['150000 100000\n', undefined, 1.5],
    ['-1\n', '100000\n', undefined],
    ['50000\n', '100000\n', 0.5],
    ['', '', undefined],
    ['', undefined, undefined],
  ] as const)
    it(`reads a quota of ${processors} processors`, () => expect(parseQuota(quota, period)).to.equal(processors));

  for (const [line, allowed] of [
    ['Cpus_allowed_list:\t0-1', [0, 1]],
    ['Cpus_allowed_list:\t0-2,5', [0, 1, 2, 5]],
    ['Cpus_allowed_list:\t7', [7]],
  ] as const)
    it(`reads ${line}`, () =>
      expect([...(parseAllowedProcessors(`Name: node\n${line}\nother: 1\n`) ?? [])]).to.deep.equal(allowed));

  it('allow all processors when they name none', () => expect(parseAllowedProcessors('')).to.equal(undefined));
});
