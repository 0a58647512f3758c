import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { explainStart, readListenOptions } from '#src/commands/proxy/listen-options.js';
import { defaultProxyOptions } from '#src/proxy/start-proxy.js';

const token = 'a-token-of-some-length';
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-listen-'));
const file = (name: string, text: string): string => {
  writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
};
const tokenFile = file('token', `${token}\n`);
const given = {
  host: '127.0.0.1',
  port: 8080,
  admin: undefined,
  'admin-port': undefined,
  'admin-token-file': undefined,
  'health-listen': undefined,
  'redirect-https': undefined,
  tls: undefined,
  'tls-cert': undefined,
  'tls-key': undefined,
};

const good: readonly (readonly [what: string, args: Partial<Record<string, unknown>>, admin: unknown])[] = [
  ['nothing', {}, { host: '127.0.0.1', port: 8081, token: undefined }],
  ['--admin-port 9', { 'admin-port': 9 }, { host: '127.0.0.1', port: 9, token: undefined }],
  ['--admin off', { admin: 'off' }, undefined],
  ['--admin [::1]:0', { admin: '[::1]:0' }, { host: '::1', port: 0, token: undefined }],
  ['a Unix socket', { admin: 'unix:/run/x/../h.sock' }, { path: '/run/h.sock', token: undefined }],
  ['a token', { 'admin-token-file': tokenFile }, { host: '127.0.0.1', port: 8081, token }],
  [
    'all addresses and a token',
    { admin: '0.0.0.0:1', 'admin-token-file': tokenFile },
    { host: '0.0.0.0', port: 1, token },
  ],
];

const bad: readonly (readonly [what: string, args: Partial<Record<string, unknown>>, says: string])[] = [
  ['all addresses without a token', { admin: '0.0.0.0:8081' }, 'needs a token. Add --admin-token-file FILE, or use'],
  ['another address without a token', { admin: '[::]:8081' }, 'needs a token'],
  ['a port alone', { admin: '8081' }, 'expected off, unix:PATH or HOST:PORT, such as 127.0.0.1:8081'],
  ['a word', { admin: 'on' }, '--admin "on": expected off'],
  ['a port out of range', { admin: '127.0.0.1:70000' }, '--admin "127.0.0.1:70000": expected'],
  ['a relative socket', { admin: 'unix:h.sock' }, 'expected an absolute path'],
  ['a long socket', { admin: `unix:/${'h'.repeat(100)}` }, 'at most 96 bytes'],
  ['both spellings', { admin: 'off', 'admin-port': 1 }, 'give one of the two'],
  ['the port of the proxy', { admin: '127.0.0.1:8080' }, '--port and --admin are both 8080'],
  ['a health port that is the admin port', { 'health-listen': '0.0.0.0:8081' }, 'are both 8081'],
  ['a health port alone', { 'health-listen': '9000' }, '--health-listen "9000": expected HOST:PORT'],
  ['no token file', { 'admin-token-file': '/dev/null/token' }, '--admin-token-file "/dev/null/token": ENOTDIR'],
  ['a short token', { 'admin-token-file': file('short', 'abc') }, '16 or more visible ASCII characters'],
  ['two tokens', { 'admin-token-file': file('two', `${token}\n${token}`) }, 'expected one line'],
];

describe('holdfast proxy: where it listens', () => {
  after(() => rmSync(folder, { recursive: true }));

  for (const [what, args, admin] of good) {
    it(`accepts ${what}`, () => {
      expect(readListenOptions({ ...given, ...args }, []).admin).to.deep.equal(admin);
    });
  }

  for (const [what, args, says] of bad) {
    it(`refuses ${what}`, () => {
      expect(() => readListenOptions({ ...given, ...args }, [])).to.throw(says);
    });
  }

  const options = {
    ...defaultProxyOptions,
    backends: [],
    affinity: undefined,
    admin: { host: '10.0.0.1', port: 1, token },
    healthListen: { host: '0.0.0.0', port: 2 },
    onEvent: () => {},
  };
  const errors: readonly (readonly [error: object, says: string])[] = [
    [{ code: 'EADDRINUSE', port: 8080 }, 'port 8080 on 127.0.0.1 is in use; choose another with --port'],
    [{ code: 'EADDRINUSE', port: 1 }, 'port 1 on 10.0.0.1 is in use; choose another with --admin'],
    [{ code: 'EACCES', port: 2 }, 'port 2 needs privileges; choose another with --health-listen'],
    [{ code: 'EADDRNOTAVAIL', port: 1 }, '--admin "10.0.0.1" is no address of this machine'],
    [{ code: 'ENOTFOUND', hostname: '127.0.0.1' }, '--host "127.0.0.1" is no address'],
  ];
  for (const [error, says] of errors) {
    it(`names the flag for ${JSON.stringify(error)}`, () => {
      expect(() => explainStart(Object.assign(new Error('x'), error), options)).to.throw(says);
    });
  }
});
