import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { isFull } from './support/size.ts';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/built.ts',
    // More than half of the time is waiting, for servers and for clocks of theirs; browsers and daemons of the full run work.
    maxWorkers: isFull ? Math.max(2, availableParallelism() - 1) : Math.max(3, availableParallelism()),
    // Only what hangs ends by these: several times what the slowest take on a machine that does much else.
    testTimeout: isFull ? 240_000 : 90_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
