import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { modeNames, modes } from '#src/modes.js';
import { storeDescriptors, storeNames } from '#src/shared/stores.js';

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly volumes?: readonly string[];
}

const file = path.resolve(import.meta.dirname, '../../docker-compose.yml');
const { services }: { readonly services: Readonly<Record<string, Service>> } = parse(readFileSync(file, 'utf8'), {
  merge: true,
});
const backends = Object.entries(services).filter(([name]) => name.startsWith('backend-'));

describe('docker-compose.yml', () => {
  it('has three backends, each under its own name', () => {
    expect(backends.map(([, { environment }]) => environment?.BACKEND_ID)).to.deep.equal(
      backends.map(([name]) => name),
    );
    expect(backends).to.have.length(3);
  });

  it('gives each of them every store server that a mode needs, by an address that it takes, and waits for it', () => {
    const needed = new Set<string>(modeNames.map(mode => modes[mode].store));
    for (const store of storeNames.filter(name => needed.has(name))) {
      const { variable, problem } = storeDescriptors[store];
      for (const [, { environment, depends_on }] of backends) {
        const url = environment?.[variable] ?? '';
        expect(problem(url), url).to.equal(undefined);
        expect(new URL(url).hostname).to.equal(store);
        expect(depends_on?.[store]?.condition).to.equal('service_healthy');
      }
    }
  });

  it('gives all of them one key ring, which is there before they start', () => {
    for (const [, { environment, depends_on, volumes }] of [...backends]) {
      expect(environment?.SHOP_SECRETS_FILE).to.match(/^\/shared\//);
      expect(volumes).to.deep.equal(services.keys?.volumes);
      expect(depends_on?.keys?.condition).to.equal('service_completed_successfully');
    }
  });
});
