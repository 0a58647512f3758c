import { postgres } from '#src/sessions/stores/postgres.js';
import { sessionStoreContract } from '../../session-store.contract.js';
import { startPgBouncer } from '../../with-pgbouncer.js';
import { startPostgres } from '../../with-postgres.js';

describe('postgres store behind PgBouncer in transaction mode', () => {
  const startLab = async () => {
    const server = await startPostgres();
    const bouncer = await startPgBouncer(server.url);
    const stop = async () => {
      await bouncer.stop();
      await server.stop();
    };
    return { server: undefined, url: bouncer.url, stop };
  };

  sessionStoreContract(postgres, startLab, { outages: false });
});
