import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProgressWatch } from '../../src/http/backend/progress.ts';
import type { SendQueues } from '../../src/ports.ts';

describe('a transfer of which no byte moves here', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  /** When it was given up, in milliseconds; undefined: not within ten limits. */
  async function endOf(
    queued: (ms: number) => number | undefined,
    bytes: (ms: number) => number = () => 0,
  ): Promise<number | undefined> {
    const begun = performance.now();
    const passed = (): number => performance.now() - begun;
    const queues: SendQueues = {
      read() {
        const found = queued(passed());
        return Promise.resolve(found === undefined ? undefined : () => found);
      },
    };
    const watch = new ProgressWatch(10, queues);
    let end: number | undefined;
    const socket = new Socket();
    watch.add({
      bytes: () => bytes(passed()),
      limitMs: () => 100,
      sockets: () => [socket],
      onStalled: () => (end = passed()),
    });
    while (end === undefined && passed() < 1000) await vi.advanceTimersByTimeAsync(10);
    return end;
  }

  test('is given up at its limit when the kernel sends nothing either', async () => {
    expect(await endOf(() => 5000)).toBe(100);
    expect(await endOf(() => 0)).toBe(100);
  });

  test('is given up at its limit where the system does not tell what the kernel sends', async () => {
    expect(await endOf(() => undefined)).toBe(100);
  });

  test('goes on as long as the kernel sends, however little', async () => {
    expect(await endOf((ms) => 5000 - Math.floor(ms / 50))).toBeUndefined();
  });

  test('is given up one limit after the kernel stopped', async () => {
    const end = await endOf((ms) => 5000 - Math.min(ms, 300));
    expect(end).toBeGreaterThanOrEqual(300);
    expect(end).toBeLessThanOrEqual(500);
  });

  test('is watched anew once a byte has moved', async () => {
    expect(
      await endOf(
        () => 5000,
        (ms) => Math.min(2, Math.floor(ms / 80)),
      ),
    ).toBe(260);
  });
});
