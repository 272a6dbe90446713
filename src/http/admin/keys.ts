/** Signing keys. */
import type { KeyRing } from '../../ports.ts';
import { keyList } from './admin-types.ts';
import type { Operation } from './operation.ts';

export const keyOperations: readonly Operation<{ readonly keys: KeyRing }>[] = [
  {
    method: 'GET',
    path: '/api/v1/keys',
    summary: 'Signing keys whose tokens are accepted.',
    answer: keyList,
    run: ({ keys }) => {
      const signing = keys.signingKey().kid;
      const views = keys.keys().map(({ kid, algorithm }) => ({ kid, algorithm, signing: kid === signing }));
      return Promise.resolve({ ok: true, body: { keys: views } });
    },
  },
];
