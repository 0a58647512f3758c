import path from 'node:path';
import { folder, itIsSilent } from './found.js';

for (const app of ['graphql', 'bearer', 'pages'])
  describe(`a correct app of one’s own: ${app}`, () => itIsSilent(path.join(folder, `${app}.yaml`)));
