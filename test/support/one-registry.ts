/** One registry that has everything by the names that clients use. */
import { createUpstreams } from '../../src/distribution/upstreams.ts';

export const oneRegistry = createUpstreams([
  { name: 'main', prefix: '', remotePrefix: '', access: 'read-write', library: false },
]);
