import { expect } from 'chai';
import yargs from 'yargs';
import { addProxyFlags, listFlagsForLab } from '#src/commands/proxy/flags.js';
import { buildProxyOptions } from '#src/commands/proxy/options.js';
import { type SettingName, settingEntries } from '#src/proxy/settings.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';
import { generateKeyRing } from '#src/shared/key-ring.js';

const parse = (words: readonly string[]) => addProxyFlags(yargs([...words])).parseAsync();

/** A value that is not the default. */
const otherValues: Partial<Record<SettingName, string>> = {
  affinity: 'off',
  'on-lost-affinity': 'strict',
  'same-site': 'Strict',
  http2: 'off',
  tls: 'dev',
  'request-id': 'set',
};

describe('the table of proxy settings', () => {
  it('gives the default of each setting', async () => {
    const args = await parse([]);
    for (const [name, setting] of settingEntries) {
      expect(args[name], name).to.deep.equal('default' in setting ? setting.default : undefined);
    }
  });

  for (const [name, { type, chosenByLab, path }] of settingEntries) {
    it(`${chosenByLab ? 'does not pass' : 'passes'} --${name} on to the proxy of a lab`, async () => {
      const value = otherValues[name] ?? (path ? '/tmp/x' : '7');
      const words = [type === 'boolean' ? `--${name}` : `--${name}=${value}`];
      const args = await parse(words);
      expect(listFlagsForLab(args)).to.deep.equal(chosenByLab ? [] : words);
    });
  }

  it('reads every setting into its option', async () => {
    const args = await parse(['--backend', 'http://127.0.0.1:1']);
    const options = buildProxyOptions(args, args.backend ?? [], generateKeyRing(), () => {});
    for (const [name, { option }] of settingEntries)
      if (option !== undefined) expect(options, name).to.have.property(option);
  });

  it('reads limits with their units', async () => {
    const typed = [
      '--connect-timeout=1500ms',
      '--response-timeout=5min',
      '--header-bytes=32KiB',
      '--replay-bytes=0',
      '--max-body-size=1GiB',
    ];
    const { limits } = buildProxyOptions(await parse(typed), [], generateKeyRing(), () => {});
    expect(limits).to.include({
      connectMs: 1500,
      responseHeadMs: 300_000,
      headerBytesMax: 32_768,
      replayBytesMax: 0,
      bodyBytesMax: 1024 ** 3,
      headerFieldsMax: 100,
    });
  });

  it('reads from where an affinity is learnt', async () => {
    for (const [typed, learnFrom] of [
      ['--affinity-cookie=connect.sid', { cookie: 'connect.sid' }],
      ['--affinity-header=X-Token', { header: 'x-token' }],
    ] as const) {
      const { affinity } = buildProxyOptions(await parse([typed]), [], generateKeyRing(), () => {});
      expect(affinity?.learnFrom).to.deep.equal(learnFrom);
    }
  });

  it('reads the limits of each client address', async () => {
    const typed = ['--max-requests-per-address=100/s', '--max-connections-per-address=20', '--request-id=trust'];
    const options = buildProxyOptions(await parse(typed), [], generateKeyRing(), () => {});
    expect(options).to.include({ requestsPerAddressMax: 100, connectionsPerAddressMax: 20, requestId: 'trust' });
  });

  for (const [typed, message] of [
    ['--affinity-cookie=a b', '--affinity-cookie "a b": expected a name such as connect.sid.'],
    ['--affinity-header=x:y', '--affinity-header "x:y": expected a name such as x-session-token.'],
    ['--affinity-header=Host', '--affinity-header "Host": this field carries no session token.'],
    ['--affinity-header=holdfast-affinity', '--affinity-header "holdfast-affinity": this field carries no session'],
    ['--affinity-cookie=sid --affinity=off', '--affinity-cookie has no effect here, because affinity is off.'],
    ['--affinity-cookie=a --affinity-header=b', '--affinity-cookie and --affinity-header: use one of them.'],
    ['--affinity-cookie=a --workers=2', '--affinity-cookie needs --workers 1'],
    ['--connect-timeout=4', '--connect-timeout "4": expected a time such as 500ms, 2s or 1min, at most 24h.'],
    ['--connect-timeout=25h', '--connect-timeout "25h": expected a time such as 500ms, 2s or 1min, at most 24h.'],
    ['--header-bytes=1', '--header-bytes "1": expected a size from 1KiB to 1MiB, such as 64KiB or 65536.'],
    ['--header-bytes=64kb', '--header-bytes "64kb": expected a size from 1KiB to 1MiB, such as 64KiB or 65536.'],
    [
      '--max-requests-per-address=100',
      '--max-requests-per-address "100": expected a rate such as 100/s, at most 1000000/s, or 0 for no limit.',
    ],
    [
      '--max-requests-per-address=0/s',
      '--max-requests-per-address "0/s": expected a rate such as 100/s, at most 1000000/s, or 0 for no limit.',
    ],
    [
      '--max-connections-per-address=-1',
      '--max-connections-per-address: expected a whole number from 0 to 65536, not "-1".',
    ],
    ['--header-fields=x', '--header-fields: expected a whole number from 8 to 10000.'],
  ] as const) {
    it(`refuses ${typed}`, async () => {
      const args = await parse(typed.split(' --').map((word, at) => (at === 0 ? word : `--${word}`)));
      expect(() => buildProxyOptions(args, [], generateKeyRing(), () => {})).to.throw(message);
    });
  }

  it('has the defaults of startProxy', async () => {
    const args = await parse(['--backend', 'http://127.0.0.1:1']);
    expect(buildProxyOptions(args, [], generateKeyRing(), () => {})).to.deep.include(defaultProxyOptions);
  });

  it('says for each setting that sets an option what a reload does with it', () => {
    for (const [name, { option, reload }] of settingEntries) {
      expect(option === undefined, name).to.equal(reload === undefined);
    }
  });
});
