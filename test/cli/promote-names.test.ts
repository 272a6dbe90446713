/** Which gateway is asked for a promotion, and whether in the clear. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { locate } from '../../src/cli/promote-names.ts';

describe('the gateway', () => {
  beforeEach(() => {
    vi.stubEnv('NODE_ENV', 'production');
    vi.stubEnv('PORTCULLIS_PUBLIC_URL', 'http://registry.internal:5050');
    vi.stubEnv('PORTCULLIS_UPSTREAM', 'http://127.0.0.1:1');
  });
  afterEach(() => void vi.unstubAllEnvs());

  test.each([
    ['registry.example.com', undefined, 'https://registry.example.com/'],
    ['registry.example.com:5050', undefined, 'https://registry.example.com:5050/'],
    ['10.1.2.3:5050', undefined, 'https://10.1.2.3:5050/'],
    ['127.0.0.1.example.com', undefined, 'https://127.0.0.1.example.com/'],
    ['localhost.example.com', undefined, 'https://localhost.example.com/'],
    ['127.0.0.1:5050', undefined, 'http://127.0.0.1:5050/'],
    ['127.1.2.3', undefined, 'http://127.1.2.3/'],
    ['localhost:5050', undefined, 'http://localhost:5050/'],
    ['[::1]:5050', undefined, 'http://[::1]:5050/'],
    ['registry.internal:5050', undefined, 'http://registry.internal:5050/'],
    ['Registry.Internal:5050', undefined, 'http://registry.internal:5050/'],
    ['registry.internal', undefined, 'https://registry.internal/'],
    [undefined, undefined, 'http://registry.internal:5050/'],
    [undefined, 'registry.example.com', 'https://registry.example.com/'],
    [undefined, 'http://registry.example.com', 'http://registry.example.com/'],
    ['127.0.0.1:5443', 'https://127.0.0.1:5443', 'https://127.0.0.1:5443/'],
    ['registry.example.com', 'https://registry.example.com:443/', 'https://registry.example.com/'],
  ])('named %s, with --gateway %s, is %s', (host, gateway, url) => {
    const source = `${host === undefined ? '' : `${host}/`}integration/app:1`;
    const located = locate(source, 'release/app', gateway === undefined ? {} : { gateway });
    expect(located).toMatchObject({ source: 'integration/app:1', target: 'release/app:1' });
    if ('url' in located) expect([located.url.href, located.isTls]).toEqual([url, url.startsWith('https:')]);
  });

  test('at another port than publicUrl is another', () => {
    const located = locate('registry.internal:443/integration/app:1', 'release/app', {});
    expect('url' in located && located.url.href).toBe('https://registry.internal/');
  });
});
