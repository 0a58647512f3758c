import { expect } from 'chai';
import { ExternalAdmin, type TemplateSettings } from '#src/simulator/cluster/external/external-admin.js';
import type { ExternalProxy } from '#src/simulator/cluster/external/external-proxy.js';
import { LabError } from '#src/simulator/errors.js';

const external: ExternalProxy = {
  name: 'own',
  command: 'own',
  directory: '/',
  ready: { withinMs: 1_000 },
  states: 'states',
  setDrain: 'drain {backend}',
  version: 'own --version',
  env: {},
};
const place = { name: 'proxy', port: 1, adminPort: 2, runDirectory: '/r', secret: 's', config: '/c' };
const settings = { 'drain-ms': 0 } as TemplateSettings;
const backends = [{ name: 'backend-1', port: 3, spare: false }];

/** An admin of a proxy whose commands print this text. */
function adminThatPrints(printed: string, ok = true): ExternalAdmin {
  const end = { ok, late: false, how: `ended with code ${ok ? 0 : 9}`, said: printed, printed };
  const tools = {
    member: { pid: 7, describe: () => '' },
    shell: async () => end,
    signal: new AbortController().signal,
  };
  return new ExternalAdmin(external, place, settings, backends, () => tools);
}

describe('the interface of an external proxy', () => {
  it('gives no states when the command prints none: nothing would look like no ejected backend', async () => {
    const said = await adminThatPrints('No such proxy.\n')
      .backends()
      .catch((error: Error) => error.message);
    expect(said).to.equal(
      'the command of own "states" printed no state, expected a line such as "backend-1 ready 0". It printed: No such proxy.',
    );
  });

  for (const [state, drained] of [
    ['ready', false],
    ['draining', true],
    ['down', true],
  ] as const)
    it(`calls a backend ${drained ? 'drained' : 'not drained'} when it is to drain and the proxy says ${state}`, async () => {
      const admin = adminThatPrints(`backend-1 ${state} 0\n`);
      await admin.drain('backend-1');
      const [backend] = await admin.backends();
      expect(backend).to.include({ state: drained ? 'draining' : 'ready', drained });
    });

  it('names the command that failed, without a stack', async () => {
    const error = await adminThatPrints('no license', false)
      .version()
      .catch((caught: Error) => caught);
    expect(error).to.be.instanceOf(LabError);
    expect(String(error)).to.include('the command of own "own --version" ended with code 9, and said: no license');
  });
});
