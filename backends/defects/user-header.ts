import { send } from '../answer.js';
import { json } from '../reply.js';
import type { Defect } from './defect.js';

export const userHeader: Defect = {
  summary: 'GET /me believes the header x-forwarded-user, as if only a proxy could set it',
  listener: next => (request, response) => {
    const user = request.headers['x-forwarded-user'];
    if (user === undefined || request.url !== '/me') next(request, response);
    else send(response, json(200, { user }));
  },
};
