import { expect } from 'chai';
import { parseScenario } from '#src/simulator/scenario/file.js';
import { type StarterApp, starterScenario, writeStarter } from '#src/simulator/scenario/starter.js';

const journey = {
  login: {
    before: { GET: '/login' },
    request: {
      POST: '/login',
      form: { user: '{user}', password: '#: "secret" {', 'a long name of a field': 'a long value', _csrf: '{csrf}' },
    },
    ok: { status: [302, 303], 'redirect-to': '/cart' },
  },
  add: { request: { POST: '/cart', json: { product: { sku: '{token}', counts: [1, 2] } } } },
  read: { request: { GET: '/cart' }, items: { regexp: '<li data-sku="([^"]+)"' }, who: '$.user' },
  anonymous: { status: 401 },
  carry: { csrf: { regexp: 'name="_csrf" value="([^"]+)"' } },
};

const app: StarterApp = {
  mode: 'redis',
  system: { command: 'npm start', env: { REDIS_URL: '{redis}', A: '1' }, ready: { http: '/health', within: '30s' } },
  journey,
  notes: ['the add is\nPOST /cart'],
};

const read = (parts: Partial<StarterApp>) =>
  parseScenario(writeStarter({ ...app, ...parts }), '/apps/shop/holdfast.yaml');

describe('the starter of a scenario', () => {
  it('is a scenario before it is filled in', () => {
    const { modes, system } = parseScenario(starterScenario, '/apps/shop/holdfast.yaml');
    expect(modes).to.deep.equal(['redis']);
    expect(system.backends.own?.command).to.equal('node server.js');
  });

  it('starts the app as it is told, in the folder of the file', () => {
    const { backends, proxy } = read({}).system;
    expect(backends).to.deep.include({ count: 3, env: { REDIS_URL: '{redis}', A: '1' } });
    expect(backends.own).to.deep.equal({
      command: 'npm start',
      directory: '/apps/shop',
      ready: { http: '/health', withinMs: 30_000 },
    });
    expect(proxy.health.everyMs).to.equal(250);
  });

  it('keeps each text of the journey, whatever its characters', () => {
    const { journey: written } = read({}).users;
    if (written === 'shop') return expect.fail('it drives the toy shop');
    expect(written.login.request).to.deep.include({ method: 'POST', path: '/login', form: journey.login.request.form });
    expect(written.add.request.json).to.deep.equal(journey.add.request.json);
    expect(written.read.items).to.deep.include(journey.read.items);
    expect(written.carry.csrf).to.deep.include(journey.carry.csrf);
  });

  it('has no line that is too long, and each note on one line', () => {
    const text = writeStarter(app);
    expect(text.split('\n').filter(line => line.length > 120)).to.deep.equal([]);
    expect(text).to.include('\n  # the add is POST /cart\n  journey:\n    login:\n      before: { GET: /login }\n');
  });

  it('expects nothing of the names of users when no answer has one', () => {
    const { who: _who, ...rest } = journey.read;
    const nameless = { ...journey, read: { ...rest, items: '$.items' } };
    expect(read({ journey: nameless }).expect.any).to.not.include('users.identitySwapped == 0');
    expect(read({}).expect.any).to.include('users.identitySwapped == 0');
  });

  it('strikes nothing in a system that runs already', () => {
    const { system, faults } = read({ system: { target: 'http://127.0.0.1:8080' } });
    expect({ target: system.target, faults }).to.deep.equal({ target: 'http://127.0.0.1:8080', faults: [] });
  });

  it('lets no more users come than there are names', () => {
    expect(read({ names: ['ann', 'bob'] }).users.arrivals.maxActive).to.equal(2);
    expect(read({ names: 'shopper{n}@example.com' }).users.names).to.equal('shopper{n}@example.com');
  });
});
