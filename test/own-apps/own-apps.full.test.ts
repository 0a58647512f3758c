import { apps, itIsFound, itIsSilent } from './found.js';

for (const { app, file, defect, harm } of apps)
  describe(`an app of one’s own, struck and with a planted defect: ${app}`, () => {
    itIsSilent(file);
    itIsFound(file, defect, harm);
  });
