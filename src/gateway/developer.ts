/** What a developer's pages work with, of what there is. */
import type { Config } from '../config/load.ts';
import type { Upstreams } from '../distribution/upstreams.ts';
import type { DeveloperParts } from '../http/web/pages/developer.tsx';
import { OneEach } from '../operations/one-each.ts';
import { LastSeen } from '../operations/last-seen.ts';
import type { AuditLog } from '../ports.ts';
import type { Behind } from '../http/backend/several.ts';
import type { Indexes } from './indexes.ts';

export interface DeveloperGround {
  readonly config: Pick<Config, 'page'>;
  readonly gate: DeveloperParts['deleting']['gate'];
  readonly upstreams: Upstreams;
  readonly backend: Pick<Behind, 'ask' | 'write' | 'around'>;
  readonly indexes: Indexes;
  readonly audit: AuditLog;
}

/** Remembers what it has seen of tags from now on. */
export function developerParts(ground: DeveloperGround): DeveloperParts {
  const { config, gate, upstreams, backend, indexes, audit } = ground;
  const { activity, names, browser, seen } = indexes;
  return {
    ...{ activity, names, browser, upstreams },
    clock: gate.clock,
    lastSeen: new LastSeen(),
    showPushers: config.page.showPushers,
    deleting: {
      ...{ gate, seen, audit, registry: backend.ask, writer: backend.write, around: backend.around },
      looks: new OneEach(),
    },
  };
}
