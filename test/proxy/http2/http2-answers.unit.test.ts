import { expect } from 'chai';
import { toHttp2Answer } from '#src/proxy/engines/wire/h2/heads.js';

function translate(...lines: string[]): Record<string, unknown> {
  return { ...toHttp2Answer(lines.map(line => `${line}\r\n`).join('')).headers };
}

describe('the head of an HTTP/2 answer', () => {
  it('has the fields of the answer in lower case, without their outer white space', () => {
    expect(translate('HTTP/1.1 200 OK', 'Content-Type:text/html', 'X-A: \t1 2 \t', 'X-Empty:')).to.deep.equal({
      ':status': 200,
      'content-type': 'text/html',
      'x-a': '1 2',
      'x-empty': '',
    });
  });

  it('joins fields that repeat, but neither cookies nor challenges', () => {
    const lines = ['Vary: a', 'vary: b', 'Date: x', 'Date: y', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Set-Cookie: c=3'];
    expect(translate('HTTP/1.1 401 No', ...lines, 'WWW-Authenticate: A', 'WWW-Authenticate: B')).to.deep.equal({
      ':status': 401,
      vary: 'a, b',
      date: 'x, y',
      'set-cookie': ['a=1', 'b=2', 'c=3'],
      'www-authenticate': ['A', 'B'],
    });
  });

  it('drops the fields of a connection', () => {
    const lines = ['Connection: close', 'Keep-Alive: 1', 'Transfer-Encoding: x', 'Upgrade: x', 'TE: x', 'Trailer: x'];
    expect(translate('HTTP/1.1 200 OK', ...lines, 'HTTP2-Settings: x', 'Proxy-Connection: x')).to.deep.equal({
      ':status': 200,
    });
  });

  it('takes a name that objects have as a name', () => {
    const { headers } = toHttp2Answer('HTTP/1.1 200 OK\r\n__proto__: 1\r\nconstructor: 2\r\n');
    expect(Object.entries(headers)).to.deep.equal([
      [':status', 200],
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
  });

  it('replaces a status that HTTP/2 clients reject by 502', () => {
    expect(translate('HTTP/1.1 799 Odd')).to.deep.equal({ ':status': 502 });
  });
});
