import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type FollowedKeys,
  followKeyDirectory,
  generateKey,
  publishMs,
  readKeyFiles,
} from '../../src/adapters/files/key-ring.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const start = Date.UTC(2026, 10, 23, 12);

describe('the key directory of a running gateway', () => {
  let directory: string;
  let now: number;
  let keys: FollowedKeys;
  let changes: (readonly string[])[];

  beforeEach(async () => {
    directory = await makeTempDir('keys');
    now = start;
    generateKey(directory, start - 3_600_000);
    const reading = readKeyFiles(directory, false);
    if (!reading.ok) throw new Error('no keys');
    changes = [];
    keys = followKeyDirectory(reading.files, {
      directory,
      clock: () => now,
      onChange: (kids) => changes.push(kids),
      pollMs: 3_600_000,
    });
  });
  afterEach(async () => {
    keys.close();
    await removeTempDir(directory);
  });

  test('a new key is accepted as soon as it is read, and signs when every replica has had time to read it', () => {
    const old = keys.signingKey().kid;
    generateKey(directory, now);
    expect(keys.refresh?.()).toBe(true);
    expect(keys.keys()).toHaveLength(2);
    expect(keys.signingKey().kid).toBe(old);
    now += publishMs;
    expect(keys.signingKey().kid).not.toBe(old);
    expect(keys.keys().map(({ kid }) => kid)).toContain(old);
  });

  test('a thousand tokens with unknown keys cause one look in ten seconds', () => {
    generateKey(directory, now);
    const looks = Array.from({ length: 1000 }, () => keys.refresh?.());
    expect(looks.filter((found) => found)).toHaveLength(1);
    generateKey(directory, now + 1);
    now += 9_999;
    expect(keys.refresh?.()).toBe(false);
    now += 1;
    expect(keys.refresh?.()).toBe(true);
  });

  test('an emptied directory leaves the last good keys in use, and is reported once', async () => {
    for (const file of keys.keys().length === 1 ? [directory] : []) await rm(file, { recursive: true });
    now += 10_000;
    expect(keys.refresh?.()).toBe(false);
    expect(keys.keys()).toHaveLength(1);
    expect(keys.problems()).toHaveLength(1);
    expect(changes).toHaveLength(1);
  });
});
