import type { ServerResponse } from 'node:http';
import type { Defect } from './defect.js';

export const bareCookies: Defect = {
  summary: 'a session cookie is set without attributes and under its plain name, and the answer repeats its value',
  listener: next => (request, response) => {
    bare(response);
    next(request, response);
  },
};

/** The sessions set their cookie last, and then end the answer with its whole body. */
function bare(response: ServerResponse): void {
  const append = response.appendHeader.bind(response);
  const end = response.end.bind(response);
  let token = '';
  response.appendHeader = (name, value) => {
    const [, given] = /^(?:__Host-)?session=([^;]+)/.exec(String(value)) ?? [];
    if (given === undefined) return append(name, value);
    token = given;
    return append(name, `session=${token}; Path=/`);
  };
  response.end = (chunk: unknown) => {
    const text = String(chunk ?? '');
    return end(token === '' ? text : text.replace(/\}\s*$/, `,"token":"${token}"}\n`));
  };
}
