import { describe } from 'vitest';
import { createTagLocks } from '../../src/adapters/memory/tag-locks.ts';
import { describeTagLocks } from './tag-locks.contract.ts';

describe('tag locks of one process', () => {
  describeTagLocks(() => Promise.resolve({ processes: [createTagLocks()], close: () => Promise.resolve() }));
});
