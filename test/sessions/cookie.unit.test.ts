import { expect } from 'chai';
import { cookieName, readCookie, standardCookie } from '#src/sessions/cookie.js';
import { SessionTooLarge } from '#src/sessions/errors.js';

const name = 'session';
const absent = { name, token: undefined, malformed: false };
const malformed = { name, token: undefined, malformed: true };
const found = (token: string) => ({ name, token, malformed: false });

describe('session cookie', () => {
  it('has every protective attribute and no other', () => {
    expect(standardCookie.set('abc', true)).to.equal('__Host-session=abc; Path=/; HttpOnly; Secure; SameSite=Lax');
    expect(standardCookie.set('abc', false)).to.equal('session=abc; Path=/; HttpOnly; SameSite=Lax');
    expect(standardCookie.clear(true)).to.equal('__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax');
    expect(standardCookie.clear(false)).to.equal('session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax');
  });

  it('throws SessionTooLarge where a browser would drop the cookie', () => {
    const longest = 'a'.repeat(4_096 - cookieName(false).length);
    expect(standardCookie.set(longest, false)).to.contain(longest);
    expect(() => standardCookie.set(`${longest}a`, false)).to.throw(SessionTooLarge, '4097 bytes');
    expect(readCookie(`session=${longest}`, 'session')).to.deep.equal(found(longest));
    expect(readCookie(`session=${longest}a`, 'session')).to.deep.equal(malformed);
  });

  for (const [header, reading] of [
    [undefined, absent],
    ['', absent],
    [';;; =; a', absent],
    ['session', absent],
    ['other=1; session=abc; last=2', found('abc')],
    ['session=abc', found('abc')],
    ['session=', found('')],
    [' session = abc ', found('abc')],
    ['session=a=b', found('a=b')],
    ['Session=abc', absent],
    ['__Host-session=abc', absent],
    ['xsession=abc; session.x=abc; sessionx=abc', absent],
    ['x="; session=abc', found('abc')],
    ['\tsession\t=\tabc\t', found('abc')],
    // For a browser, byte A0 is part of the name. It does not check whether the site may set a cookie with that prefix.
    ['\u00a0session=abc; session\u00a0=abc; \u0085session=abc', absent],
    ['\u00a0session=planted; session=abc', found('abc')],
    ['session=\u00a0abc', found('\u00a0abc')],
    ['session=abc; session=abc', malformed],
    ['session=abc; other=1; session=planted', malformed],
    ['session=; session=abc', malformed],
  ] as const) {
    it(`is read from ${JSON.stringify(header)}`, () => {
      expect(readCookie(header, 'session')).to.deep.equal(reading);
    });
  }
});
