import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { UsageError } from '#src/commands/lib/flags.js';
import { listFlagsForLab } from '#src/commands/proxy/flags.js';
import { listTlsWarnings, readTlsOptions } from '#src/commands/proxy/tls-options.js';
import type { TlsPair } from '#src/proxy/front/tls-pair.js';
import { ask } from '../../proxy/ask.js';
import { authority, issue, withFolder } from '../../proxy/certificates.js';
import { withToys } from '../../proxy/toy-backend.js';
import { withHoldfast } from '../holdfast.js';

type TlsArgs = Parameters<typeof readTlsOptions>[0];

const defaults: TlsArgs = {
  tls: undefined,
  'tls-cert': undefined,
  'tls-key': undefined,
  http2: undefined,
  engine: 'wire',
  'backend-ca': undefined,
  'backend-server-name': undefined,
  'backend-insecure': false,
  'proxy-protocol': false,
  forwarded: false,
  trust: [],
};

describe('flags about TLS and proxies in front', () => {
  it('ask for nothing by themselves', () => {
    expect(readTlsOptions(defaults)).to.deep.equal({
      tls: undefined,
      http2: undefined,
      backendTls: undefined,
      proxyProtocol: false,
      trusted: [],
      forwarded: false,
    });
    expect(listFlagsForLab(defaults)).to.deep.equal([]);
    expect(listTlsWarnings(defaults)).to.deep.equal([]);
  });

  it('are read', () =>
    withFolder(async write => {
      const ca = await authority('Test authority');
      const file = write('ca.pem', ca.cert);
      const given = {
        ...defaults,
        'backend-ca': file,
        'backend-server-name': 'backend.internal',
        trust: ['::1, 10.0.0.0/8'],
      };
      expect(readTlsOptions({ ...given, 'proxy-protocol': true, forwarded: true })).to.deep.equal({
        tls: undefined,
        http2: undefined,
        backendTls: { ca: ca.cert, rejectUnauthorized: true, servername: 'backend.internal' },
        proxyProtocol: true,
        trusted: ['::1', '10.0.0.0/8'],
        forwarded: true,
      });
    }));

  it('are passed on to the proxy of a lab', () => {
    const given = { ...defaults, 'tls-cert': 'a.pem', 'tls-key': '/b.pem', 'proxy-protocol': true, trust: ['::1'] };
    const cert = path.resolve('a.pem');
    expect(listFlagsForLab(given)).to.deep.equal([
      `--tls-cert=${cert}`,
      '--tls-key=/b.pem',
      '--trust=::1',
      '--proxy-protocol',
    ]);
    expect(listFlagsForLab({ ...defaults, tls: 'dev', forwarded: true })).to.deep.equal(['--tls=dev', '--forwarded']);
  });

  it('warn of what should not stay so', () => {
    expect(listTlsWarnings({ ...defaults, tls: 'dev', 'backend-insecure': true })).to.have.length(2);
  });

  it('HTTP/2 can be asked for and turned off', () => {
    expect(readTlsOptions({ ...defaults, http2: 'on', tls: 'dev' }).http2).to.equal(true);
    expect(readTlsOptions({ ...defaults, http2: 'off' }).http2).to.equal(false);
    expect(readTlsOptions({ ...defaults, http2: 'off', engine: 'http-proxy' }).http2).to.equal(false);
  });

  const wrong: readonly (readonly [args: Partial<TlsArgs>, says: string])[] = [
    [{ http2: 'on' }, '--http2 on needs TLS: add --tls-cert FILE and --tls-key FILE, or --tls dev to try it out.'],
    [{ http2: 'on', tls: 'dev', engine: 'http-proxy' }, '--http2 on: engine "http-proxy" speaks only HTTP/1.1'],
    [{ 'tls-cert': 'x' }, '--tls-cert needs the private key: add --tls-key FILE.'],
    [{ 'tls-key': 'x' }, '--tls-key needs the certificate: add --tls-cert FILE.'],
    [{ tls: 'dev', 'tls-key': 'x' }, 'leave it out, or --tls-cert and --tls-key.'],
    [{ 'tls-cert': '/nowhere/x', 'tls-key': '/nowhere/y' }, '--tls-cert "/nowhere/x": ENOENT'],
    [{ 'proxy-protocol': true }, 'for example --proxy-protocol --trust 10.0.0.0/8.'],
    [{ trust: ['localhost'] }, '--trust: "localhost": expected an address or a network'],
    [{ 'backend-ca': '/nowhere/x' }, '--backend-ca "/nowhere/x": ENOENT'],
    [{ 'backend-ca': import.meta.filename }, 'no certificate in it; expected PEM'],
    [{ 'backend-ca': 'x', 'backend-insecure': true }, 'give one of the two.'],
    [{ 'backend-server-name': 'https://x' }, 'expected a host name such as backend.internal.'],
  ];
  for (const [args, says] of wrong) {
    it(`refuse ${JSON.stringify(args)}`, () =>
      expect(() => readTlsOptions({ ...defaults, ...args })).to.throw(UsageError, says));
  }
});

/** Whose certificate the port shows. */
function shown(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca, servername: '' }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('holdfast proxy over TLS', () => {
  it('shows a new certificate after SIGHUP, and keeps the old one when the new one is none', () =>
    withToys([undefined], toy =>
      withFolder(async write => {
        const ca = await authority('Test authority');
        const [first, second] = await Promise.all([issue(ca), issue(ca, { names: ['next.example'] })]);
        const certFile = write('cert.pem', first.cert);
        const keyFile = write('key.pem', first.key);
        const says = ({ cert, key }: TlsPair) => Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
        const flags = ['--port=0', '--admin-port=0', `--backend=${toy.url.origin}`];
        const words = ['proxy', ...flags, `--tls-cert=${certFile}`, `--tls-key=${keyFile}`];
        await withHoldfast(words, async holdfast => {
          await holdfast.sees('listening on');
          const [, url = ''] = /listening on (https:\S+:\d+)/.exec(holdfast.output.stderr) ?? [];
          const answer = await ask(url, '/', { ca: ca.cert });
          expect(answer.headers['set-cookie']?.[0]).to.match(/^__Host-holdfast=.*; Secure/);
          expect(await shown(url, ca.cert)).to.equal('localhost');
          await says(second);
          holdfast.child.kill('SIGHUP');
          await holdfast.sees('reloaded: the certificate changed\n');
          expect(await shown(url, ca.cert)).to.equal('next.example');
          await says({ cert: first.cert, key: second.key });
          holdfast.child.kill('SIGHUP');
          await holdfast.sees(/not reloaded, nothing has changed: --tls-key .* is not the key of the certificate/);
          expect(await shown(url, ca.cert)).to.equal('next.example');
          holdfast.child.kill('SIGTERM');
          expect(await holdfast.ended(), holdfast.output.stderr).to.equal(0);
        });
      }),
    ));
});
