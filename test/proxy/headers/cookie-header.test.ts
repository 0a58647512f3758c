import { expect } from 'chai';
import { cookieValue, withoutCookie } from '#src/proxy/headers/cookie-header.js';

describe('the Cookie header at the proxy', () => {
  it('gives the value of one exact name, blanks and tabs around it not counted', () => {
    expect(cookieValue('a=1; holdfast=\t x \t; b=2', 'holdfast', 0)).to.equal('x');
    expect(cookieValue('holdfast=1;holdfast=2', 'holdfast', 1)).to.equal('2');
    expect(cookieValue('xholdfast=1', 'holdfast', 0)).to.equal(undefined);
    expect(cookieValue(undefined, 'holdfast', 0)).to.equal(undefined);
  });

  it('loses the named cookie and nothing else', () => {
    expect(withoutCookie('holdfast=1; a=2;holdfast=3', 'holdfast')).to.equal('a=2');
    expect(withoutCookie(' holdfast=1 ', 'holdfast')).to.equal(undefined);
    expect(withoutCookie('xholdfast=1', 'holdfast')).to.equal('xholdfast=1');
  });

  it('takes byte A0 for a part of the name, as browsers do: a cookie that anybody may set becomes no other one', () => {
    const planted = '\u00a0__Host-session=planted';
    expect(withoutCookie(`holdfast=1;${planted}`, 'holdfast')).to.equal(planted);
    expect(cookieValue('\u00a0holdfast=1', 'holdfast', 0)).to.equal(undefined);
  });
});
