import { expect } from 'chai';
import { readCookieValue, removeCookie } from '#src/proxy/headers/forwarding.js';

describe('the Cookie header at the proxy', () => {
  it('returns the value of one exact name without the blanks around it', () => {
    expect(readCookieValue('a=1; holdfast=\t x \t; b=2', 'holdfast', 0)).to.equal('x');
    expect(readCookieValue('holdfast=1;holdfast=2', 'holdfast', 1)).to.equal('2');
    expect(readCookieValue('xholdfast=1', 'holdfast', 0)).to.equal(undefined);
    expect(readCookieValue(undefined, 'holdfast', 0)).to.equal(undefined);
  });

  it('removes the named cookie and nothing else', () => {
    expect(removeCookie('holdfast=1; a=2;holdfast=3', 'holdfast')).to.equal('a=2');
    expect(removeCookie(' holdfast=1 ', 'holdfast')).to.equal(undefined);
    expect(removeCookie('xholdfast=1', 'holdfast')).to.equal('xholdfast=1');
  });

  it('treats byte A0 as a part of the name, as browsers do', () => {
    const planted = '\u00a0__Host-session=planted';
    expect(removeCookie(`holdfast=1;${planted}`, 'holdfast')).to.equal(planted);
    expect(readCookieValue('\u00a0holdfast=1', 'holdfast', 0)).to.equal(undefined);
  });
});
