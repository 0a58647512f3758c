import { expect } from 'chai';
import { findSetCookie } from '#src/proxy/affinity/set-cookie.js';

describe('findSetCookie', () => {
  for (const [joined, value] of [
    [undefined, undefined],
    ['a=1', undefined],
    ['xsid=1; Path=/', undefined],
    ['sid=1', '1'],
    ['sid=1; Path=/; HttpOnly', '1'],
    ['a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT, sid=2; Path=/', '2'],
    ['sid=2; Expires=Wed, 21 Oct 2099 07:28:00 GMT, a=1', '2'],
    ['sid=1, sid=2', '2'],
    ['sid=a=b', 'a=b'],
    ['a=1; Comment=sid=5', undefined],
    ['sid=1; Max-Age=0', ''],
    ['sid=1; max-age=-1', ''],
    ['sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT', ''],
    ['sid=1; Max-Age=60', '1'],
    ['sid=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60', '1'],
    ['sid=1; Max-Age=0; Expires=Wed, 21 Oct 2099 07:28:00 GMT', ''],
    ['sid=1; Max-Age=', '1'],
    ['sid=1; Max-Age=never', '1'],
    ['sid="a b"; Path=/', '"a b"'],
  ] as const) {
    it(`finds ${value === undefined ? 'nothing' : `"${value}"`} in "${joined}"`, () =>
      expect(findSetCookie(joined, 'sid')).to.equal(value));
  }
});
