import type { Defect } from './defect.js';

export const anyOrigin: Defect = {
  summary: 'nobody looks at where a request comes from, nor at the type of its body',
  listener: next => (request, response) => {
    const { headers } = request;
    delete headers.origin;
    delete headers['sec-fetch-site'];
    if (headers['content-type'] !== undefined) headers['content-type'] = 'application/json';
    next(request, response);
  },
};
