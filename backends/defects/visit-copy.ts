import type { Visit } from '#src/sessions/sessions.js';

/** A visit whose methods can be exchanged one by one; `session` and `why` are those of now. */
export function visitCopy(visit: Visit): Visit {
  return {
    session: visit.session,
    why: visit.why,
    begin: (user, data) => visit.begin(user, data),
    change: edit => visit.change(edit),
    rotate: edit => visit.rotate(edit),
    end: () => visit.end(),
    handle: visit.handle,
  };
}
