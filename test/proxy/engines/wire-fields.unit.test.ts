import { expect } from 'chai';
import { watchedInAnswers } from '#src/proxy/engines/wire/answer-head.js';
import { codeOf } from '#src/proxy/engines/wire/head-text.js';
import { watchedInRequests } from '#src/proxy/engines/wire/request-head.js';

describe('wire: the codes of field names', () => {
  for (const [of, names] of Object.entries({ requests: watchedInRequests, answers: watchedInAnswers })) {
    it(`distinguish the watched fields of ${of}, in any spelling`, () => {
      expect(new Set(names.map(codeOf)).size).to.equal(names.length);
      for (const name of names) expect(codeOf(name.toUpperCase()), name).to.equal(codeOf(name));
    });
  }
});
