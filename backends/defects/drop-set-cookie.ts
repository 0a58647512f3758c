import type { Defect } from './defect.js';

const oneIn = 3;

export const dropSetCookie: Defect = {
  summary: `the answer to every ${oneIn}rd login comes without the session cookie`,
  listener: next => {
    let logins = 0;
    return (request, response) => {
      if (request.url === '/login' && ++logins % oneIn === 0) withoutCookies(response);
      next(request, response);
    };
  },
};

/** As a cache or a proxy in front that strips what it takes for private. The sessions append their cookie by this call. */
function withoutCookies(response: Parameters<Parameters<NonNullable<Defect['listener']>>[0]>[1]): void {
  const append = response.appendHeader.bind(response);
  response.appendHeader = (name, value) => (name.toLowerCase() === 'set-cookie' ? response : append(name, value));
}
