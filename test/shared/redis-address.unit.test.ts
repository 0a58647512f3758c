import { expect } from 'chai';
import { parseAddress } from '#src/shared/redis-address.js';
import { maskUrl } from '#src/shared/text.js';

const plain = {
  kind: 'single',
  places: [{ host: '127.0.0.1', port: 6379 }],
  primary: undefined,
  tls: false,
  ca: undefined,
  sentinelLogin: false,
  username: undefined,
  password: undefined,
  database: 0,
  replicas: 0,
};
const three = [
  { host: 'h1', port: 1 },
  { host: 'h2', port: 2 },
  { host: 'h3', port: 3 },
];

describe('address of Redis', () => {
  for (const [url, expected] of [
    ['redis://127.0.0.1:6379', {}],
    ['redis://127.0.0.1', {}],
    ['redis://127.0.0.1/', {}],
    ['redis://127.0.0.1:6379/0', {}],
    ['redis://127.0.0.1/15', { database: 15 }],
    ['redis://127.0.0.1?replicas=2', { replicas: 2 }],
    ['redis://127.0.0.1/3?replicas=0', { database: 3 }],
    ['redis://[::1]:6380', { places: [{ host: '::1', port: 6380 }] }],
    ['rediss://redis.example:7000/1', { places: [{ host: 'redis.example', port: 7000 }], tls: true, database: 1 }],
    ['redis://:s%40cret@127.0.0.1', { password: 's@cret' }],
    ['redis://shop:a:b%2Fc@127.0.0.1', { username: 'shop', password: 'a:b/c' }],
    ['redis+sentinel://h1:1,h2:2,h3:3/main', { kind: 'sentinel', places: three, primary: 'main' }],
    [
      'redis+sentinel://h1/my-main.1/4',
      { kind: 'sentinel', places: [{ host: 'h1', port: 26379 }], primary: 'my-main.1', database: 4 },
    ],
    [
      'redis+sentinel://u:p@h1:1,h2:2,h3:3/m?replicas=1',
      { kind: 'sentinel', places: three, primary: 'm', username: 'u', password: 'p', replicas: 1 },
    ],
    [
      'rediss://h1:1?ca=/etc/redis/ca%20file.pem&replicas=1',
      { places: [three[0]], tls: true, ca: '/etc/redis/ca file.pem', replicas: 1 },
    ],
    [
      'rediss+sentinel://:p@h1:1,h2:2,h3:3/m?sentinel-login=same',
      { kind: 'sentinel', places: three, primary: 'm', tls: true, password: 'p', sentinelLogin: true },
    ],
    ['rediss+cluster://h1:1,h2:2,h3:3', { kind: 'cluster', places: three, tls: true }],
    ['redis+cluster://h1:1,h2:2,h3:3', { kind: 'cluster', places: three }],
    [
      'redis+cluster://u:p@h1:1,h2:2,h3:3/?replicas=1',
      { kind: 'cluster', places: three, username: 'u', password: 'p', replicas: 1 },
    ],
  ] as const) {
    it(`reads ${url}`, () => {
      expect(parseAddress(url)).to.deep.equal({ ...plain, ...expected });
    });
  }

  for (const [url, problem] of [
    [undefined, 'none was given'],
    ['', 'none was given'],
    ['localhost', '"localhost" is none'],
    ['127.0.0.1:6379', '"127.0.0.1:6379" is none'],
    ['http://127.0.0.1:6379', '"http://127.0.0.1:6379" is none'],
    ['REDIS://127.0.0.1', 'is none'],
    [' redis://127.0.0.1', 'is none'],
    ['redis://127.0.0.1\n', 'is not a host:port'],
    ['redis://', 'an empty host in "redis://"'],
    ['redis://:6379', '":6379" is not a host:port'],
    ['redis://h:0', 'port 0 is not within 1 and 65535'],
    ['redis://h:65536', 'port 65536 is not within'],
    ['redis://h:6379x', '"h:6379x" is not a host:port'],
    ['redis://h1:1,h2:2', 'more than one host'],
    ['redis://h/main', '"/main" is not the number of a database'],
    ['redis://h/-1', 'is not the number of a database'],
    ['redis://h#x', 'is none'],
    ['redis://h?', '"": the options are replicas=<number>'],
    ['redis://h?family=6', '"family": the options are replicas=<number>'],
    ['redis://h?Replicas=1', '"Replicas": the options are'],
    ['redis://h?replicas', 'replicas= is not a number from 0 to 100'],
    ['redis://h?replicas=-1', 'replicas=-1 is not a number'],
    ['redis://h?replicas=101', 'replicas=101 is not a number'],
    ['redis://h?replicas=1.5', 'replicas=1.5 is not a number'],
    ['redis://h?replicas=1&replicas=2', 'the option replicas twice'],
    ['redis+sentinel://h1:1,h2:2', 'the name of the primary is missing'],
    ['redis+sentinel://h1:1/', 'the name of the primary is missing'],
    ['redis+sentinel://h1:1/ma in', '"/ma in" is not the name of a primary'],
    ['redis+sentinel://h1:1,/main', 'an empty host'],
    ['redis+cluster://h1:1,,h2:2', 'an empty host'],
    ['redis+cluster://h1:1/0', '"/0": a cluster has no databases'],
    ['redis://h?ca=/ca.pem', 'ca= without TLS'],
    ['rediss://h?ca=', 'ca= without a file'],
    ['redis://h?sentinel-login=same', 'sentinel-login= without sentinels'],
    ['redis+sentinel://h/m?sentinel-login=other', 'the only value is "same"'],
  ] as const) {
    it(`refuses ${JSON.stringify(url)}`, () => {
      expect(() => parseAddress(url))
        .to.throw(problem)
        .with.property('message')
        .that.matches(/^expected an address/);
    });
  }

  for (const url of [
    'redis://shop:hidden@h:99999',
    'redis://:hidden@h/x',
    'redis://hidden@h',
    'redis://shop:hid@den@h',
    'redis://shop:hidden%@h',
    'redis://shop:hid/hidden@h:1/0',
    'redis://shop:hid#hidden@h',
    'redis://shop:hid?hidden@h',
    'http://shop:hidden@h',
    'shop:hidden@h:6379',
    'redis+sentinel://shop:hidden@h1:1,h2:2',
    'redis+cluster://shop:hidden@h1:1,h2:2?replica=1',
    'redis://shop:hid\nhidden@h',
  ]) {
    it(`shows no password of ${JSON.stringify(url)}`, () => {
      expect(() => parseAddress(url))
        .to.throw(Error)
        .with.property('message')
        .that.does.not.match(/hid/);
      expect(maskUrl(url)).not.to.match(/hid/);
    });
  }

  it('shows the parts without a password', () => {
    expect(maskUrl('redis+sentinel://shop:hidden@h1:1,h2:2/main')).to.equal('redis+sentinel://***@h1:1,h2:2/main');
    expect(maskUrl('redis://h:1/0?replicas=1')).to.equal('redis://h:1/0?replicas=1');
  });
});
