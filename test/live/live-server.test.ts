import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { bodyBytesMax, startLiveServer } from '#src/live/live-server.js';
import { exportNames, paths, tokenHeader } from '#src/live/protocol.js';
import { type Asked, madeUpPage, withLive } from './with-live.js';

const strike = { do: 'strike', sides: ['left', 'right'], fault: 'kill', target: 'backend-2' };

describe('the server of the live lab', () => {
  it('serves the page without a token, with its policy, and prints the token in the fragment of the address', async () => {
    await withLive(async ({ ask, server, token }) => {
      expect(server.address).to.equal(`http://127.0.0.1:${server.port}/#${token}`);
      expect(Buffer.from(token, 'base64url')).to.have.length(32);
      const { status, headers, body } = await ask('/', { headers: { [tokenHeader]: '' } });
      expect([status, body]).to.deep.equal([200, madeUpPage.html]);
      expect(headers).to.include({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': madeUpPage.contentSecurityPolicy,
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-frame-options': 'DENY',
      });
    });
  });

  const needToken = [paths.stream, paths.command, paths.story, `${paths.export}scenario.yaml`, '/unknown'];
  const forged: Readonly<Record<string, readonly [Asked, RegExp]>> = {
    'of a page of another origin': [{ headers: { origin: 'http://evil.example' } }, /another origin/],
    'of a page without an origin of its own': [{ headers: { origin: 'null' } }, /another origin/],
    'of a page of another port of this machine': [{ headers: { origin: 'http://127.0.0.1:1' } }, /another origin/],
    'with another name in Host': [{ headers: { host: 'evil.example' } }, /Host header names another server/],
    'with another port in Host': [{ headers: { host: '127.0.0.1:1' } }, /Host header names another server/],
    'without a token': [{ headers: { [tokenHeader]: '' } }, /found no header holdfast-live-token/],
    'with a wrong token': [{ headers: { [tokenHeader]: 'x' } }, /the token of another command/],
  };
  for (const [what, [asked, words]] of Object.entries(forged)) {
    it(`refuses each request ${what}, and carries out no command`, async () => {
      await withLive(async ({ ask, session, side }) => {
        await session.start();
        for (const path of needToken) {
          const method = path === paths.command ? 'POST' : 'GET';
          const { status, body } = await ask(path, { ...asked, method, body: JSON.stringify(strike) });
          expect([path, status]).to.deep.equal([path, 403]);
          expect(body).to.match(words);
        }
        expect(side('left').calls).to.deep.equal([]);
      });
    });
  }

  it('serves the page only under its own host names', async () => {
    await withLive(async ({ ask, server }) => {
      expect((await ask('/', { headers: { host: 'evil.example' } })).status).to.equal(403);
      expect((await ask('/', { headers: { host: '' } })).status).to.equal(400);
      const own = { host: `localhost:${server.port}`, origin: `http://localhost:${server.port}` };
      expect((await ask('/', { headers: own })).status).to.equal(200);
    });
  });

  it('refuses the preflight of a foreign page, and allows no origin', async () => {
    await withLive(async ({ ask }) => {
      const headers = { [tokenHeader]: '', origin: 'http://evil.example', 'access-control-request-method': 'POST' };
      const answer = await ask(paths.command, { method: 'OPTIONS', headers });
      expect(answer.status).to.equal(403);
      expect(Object.keys(answer.headers).filter(name => name.startsWith('access-control'))).to.deep.equal([]);
    });
  });

  it('listens on no other address than 127.0.0.1', async () => {
    await withLive(async ({ server }) => {
      const socket = connect(server.port, '127.0.0.2');
      const [error] = await once(socket, 'error');
      expect(error.code).to.equal('ECONNREFUSED');
    });
  });

  for (const [method, path, allow] of [
    ['GET', paths.command, 'POST'],
    ['POST', paths.stream, 'GET'],
    ['DELETE', '/', 'GET, HEAD'],
    ['POST', paths.story, 'GET, HEAD'],
  ] as const) {
    it(`answers ${method} ${path} with 405 and the methods that it has`, async () => {
      await withLive(async ({ ask }) => {
        const { status, headers, body } = await ask(path, { method });
        expect([status, headers.allow]).to.deep.equal([405, allow]);
        expect(body).to.equal(`${method} ${path}: expected ${allow}.\n`);
      });
    });
  }

  it('answers an unknown path with 404 and the nearest one', async () => {
    await withLive(async ({ ask }) => {
      const { status, body } = await ask('/comand');
      expect(status).to.equal(404);
      expect(body).to.match(/^unknown path "\/comand"\. Did you mean "\/command"\?/);
      expect((await ask('/export/secrets')).status).to.equal(404);
    });
  });

  it('answers a body of more than 64 KB with 413, and serves the next request', async () => {
    await withLive(async ({ ask, command, session, side }) => {
      await session.start();
      const fits = JSON.stringify(strike).padEnd(bodyBytesMax, ' ');
      expect((await ask(paths.command, { method: 'POST', body: fits })).status).to.equal(200);
      for (const body of [`${fits} `, fits.padEnd(4 * bodyBytesMax, ' ')]) {
        const answer = await ask(paths.command, { method: 'POST', body });
        expect(answer.status).to.equal(413);
        expect(answer.body).to.equal('the body is longer than 64 KB.\n');
      }
      expect(side('left').calls).to.have.length(1);
      expect((await command({ do: 'clear' })).status).to.equal(200);
    });
  });

  const malformed: readonly (readonly [string, RegExp])[] = [
    ['', /^the body is no JSON \(.*\); expected a command such as {"do":"clear"}\.\n$/],
    ['{"do":"clear"', /^the body is no JSON/],
    ['[]', /expected a map such as/],
    [
      '{"do":"kill"}',
      /^do: unknown command "kill"\. .*Known: strike, heal, set-users, set-mode, next-seed, clear\.\n$/,
    ],
    ['{"do":"strik"}', /Did you mean "strike"\?/],
    ['{"do":"strike","sides":[],"fault":"kill","target":"backend-1"}', /^sides: expected at least one side/],
    ['{"do":"strike","sides":["middle"],"fault":"kill","target":"x"}', /^sides\.0: unknown side "middle"/],
    ['{"do":"strike","sides":["left"],"fault":"kill"}', /^target: expected the name of a target/],
    ['{"do":"heal","sides":["left"],"member":"a\\nb"}', /^member: found "a\\nb", expected the name of a member/],
    ['{"do":"set-users","count":1.5}', /^count: found 1\.5, expected a whole number/],
    ['{"do":"clear","now":true}', /^unknown key in the command clear "now"/],
    ['{"do":"__proto__"}', /^do: unknown command/],
  ];
  for (const [body, words] of malformed) {
    it(`answers the malformed command ${body || '(empty)'} with 400 and says what was expected`, async () => {
      await withLive(async ({ ask, session, side }) => {
        await session.start();
        const answer = await ask(paths.command, { method: 'POST', body });
        expect(answer.status).to.equal(400);
        expect(answer.body).to.match(words);
        expect(side('left').calls).to.deep.equal([]);
      });
    });
  }

  it('sends the files of the export as downloads', async () => {
    await withLive(async ({ ask }) => {
      for (const name of exportNames.filter(one => one !== 'scenario-right.yaml')) {
        const { status, headers, body } = await ask(`${paths.export}${name}`);
        expect([status, body]).to.deep.equal([200, `contents of ${name}`]);
        expect(headers['content-disposition']).to.equal(`attachment; filename="${name}"`);
      }
    });
  });

  it('answers 404 for a file that the session does not have', async () => {
    await withLive(async ({ ask }) => {
      const { status, body } = await ask(`${paths.export}scenario-right.yaml`);
      expect([status, body]).to.deep.equal([404, 'this session has no scenario-right.yaml.\n']);
    });
  });

  it('says which side or user of a story it does not know', async () => {
    await withLive(async ({ ask }) => {
      const wrongSide = await ask(`${paths.story}?side=lef&user=user-1`);
      expect([wrongSide.status, wrongSide.body]).to.deep.equal([
        400,
        'unknown side "lef". Did you mean "left"? Known: left, right.\n',
      ]);
      const noUser = await ask(`${paths.story}?side=left&user=user-77`);
      expect(noUser.status).to.equal(404);
      expect(noUser.body).to.equal('the left side has no user "user-77"; expected a name such as user-1.\n');
    });
  });

  it('takes the next free port when the wished one is taken', async () => {
    await withLive(async ({ session, server: first }) => {
      const options = { session, page: madeUpPage, exportFile: () => undefined };
      const second = await startLiveServer({ ...options, port: first.port });
      expect(second.port).to.be.within(first.port + 1, first.port + 19);
      await second.close();
    });
  });

  it('cuts silent connections when it closes', async () => {
    await withLive(async ({ server }) => {
      const socket = connect(server.port, '127.0.0.1');
      await once(socket, 'connect');
      const cut = once(socket, 'close');
      await server.close();
      await cut;
    });
  });

  it('closes a connection that sends no request for more than two seconds', async () => {
    await withLive(async ({ server }) => {
      const socket = connect(server.port, '127.0.0.1');
      const began = performance.now();
      socket.write('GET / HTTP/1.1\r\n');
      socket.resume();
      await once(socket, 'end');
      expect(performance.now() - began).to.be.within(1_500, 4_000);
      socket.destroy();
    });
  }).timeout(6_000);

  it('survives bytes that are no HTTP', async () => {
    await withLive(async ({ ask, server }) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.end('\u0000\u0001 nonsense\r\n\r\n');
      expect(await text(socket)).to.match(/^HTTP\/1\.1 400/);
      const odd = connect(server.port, '127.0.0.1');
      odd.end(`GET http://[ HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: close\r\n\r\n`);
      expect(await text(odd)).to.match(/^HTTP\/1\.1 403/);
      expect((await ask('/')).status).to.equal(200);
    });
  });
});
