import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createImageFactsMemory } from '../../src/adapters/memory/image-facts.ts';
import { type OpenBrowser, createBrowser } from '../../src/browse/browser.ts';
import type { Browsed } from '../../src/browse/questions.ts';
import { createTurns } from '../../src/browse/turns.ts';
import { digestOf, types } from '../support/content.ts';

/** A registry that answers when a test lets it. */
class Slow implements Browsed {
  asked: string[] = [];
  underWay = 0;
  most = 0;
  isDown = false;
  delayMs = 0;
  tagNames: readonly string[] = ['b', 'a'];
  readonly image = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, layers: [] }));

  async #answer<T>(line: string, answer: () => T): Promise<T | { readonly ok: false; readonly reason: 'unreachable' }> {
    this.asked.push(line);
    this.most = Math.max(this.most, ++this.underWay);
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    this.underWay--;
    return this.isDown ? { ok: false, reason: 'unreachable' } : answer();
  }

  tags = (repository: string) =>
    this.#answer(`tags ${repository}`, () => ({ ok: true, names: this.tagNames, next: undefined }) as const);
  resolveTag = (_repository: string, tag: string) =>
    this.#answer(
      `tag ${tag}`,
      () => ({ ok: true, digest: tag === 'none' ? undefined : digestOf(Buffer.from(tag)) }) as const,
    );
  manifest: Browsed['manifest'] = (repository, digest) =>
    this.#answer(`manifest ${repository} ${digest}`, () => ({
      ok: true as const,
      manifest: digest.startsWith('sha256-') ? undefined : { digest, mediaType: types.manifest, content: this.image },
    }));
  openBlob = () => this.#answer('blob', () => ({ ok: true, blob: undefined }) as const);
  referrers = (_repository: string, digest: string) =>
    this.#answer(`referrers ${digest}`, () => ({ ok: true, digests: ['sha256:r'] }) as const);
}

let registry: Slow;
let browser: OpenBrowser;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  registry = new Slow();
  browser = createBrowser({
    registry,
    turns: createTurns({ each: 4 }),
    images: createImageFactsMemory(),
    clock: Date.now,
  });
});
afterEach(() => vi.useRealTimers());
const digest = digestOf(Buffer.from('image'));

describe('what pages ask of the registry', () => {
  test('is answered, and then from memory for fifteen seconds', async () => {
    for (let page = 0; page < 3; page++) {
      const glance = browser.glance();
      expect(await glance.tags('a')).toEqual({ names: ['a', 'b'], isComplete: true, isUnknown: false });
      expect(await glance.digestOf('a', 't')).toEqual({ digest: digestOf(Buffer.from('t')) });
      expect(await glance.digestOf('a', 'none')).toBe('none');
      expect(await glance.image('a', digest, 'row')).toMatchObject({ digest });
      expect(await glance.attached('a', digest)).toEqual(['sha256:r']);
      expect([glance.trouble(), glance.staleSince()]).toEqual([undefined, undefined]);
      expect(registry.asked.length).toBe(6);
    }
    await vi.advanceTimersByTimeAsync(15_000);
    await browser.glance().tags('a');
    expect(registry.asked.length).toBe(7);
  });

  test('is asked anew once a tag was written here', async () => {
    await browser.glance().tags('a');
    await browser.glance().digestOf('a', 't');
    await browser.glance().tags('b');
    browser.forget('a');
    registry.asked = [];
    await Promise.all([browser.glance().tags('a'), browser.glance().digestOf('a', 't'), browser.glance().tags('b')]);
    expect(registry.asked).toEqual(['tags a', 'tag t']);
  });

  test('is four questions at once for all pages together', async () => {
    registry.delayMs = 10;
    const pages = Array.from({ length: 10 }, () => browser.glance());
    const all = pages.flatMap((page, at) => Array.from({ length: 10 }, (_, tag) => page.digestOf('a', `${at}-${tag}`)));
    await vi.advanceTimersByTimeAsync(1000);
    expect((await Promise.all(all)).length).toBe(100);
    expect(registry.most).toBe(4);
  });

  test('is one question however many pages wait for it', async () => {
    registry.delayMs = 10;
    const all = Array.from({ length: 10 }, () => browser.glance().image('a', digest, 'row'));
    await vi.advanceTimersByTimeAsync(100);
    expect((await Promise.all(all)).every((each) => typeof each === 'object')).toBe(true);
    expect(registry.asked.length).toBe(1);
  });

  test('is not waited for longer than two seconds in all; the next page has it', async () => {
    registry.delayMs = 2500;
    const glance = browser.glance();
    const asked = glance.tags('a');
    await vi.advanceTimersByTimeAsync(2000);
    expect(await asked).toBeUndefined();
    expect(await glance.digestOf('a', 't')).toBeUndefined();
    expect(glance.trouble()).toBe('late');
    await vi.advanceTimersByTimeAsync(500);
    expect(await browser.glance().tags('a')).toMatchObject({ names: ['a', 'b'] });
  });

  test('is not asked at all when its turn comes too late for whoever wanted it', async () => {
    registry.delayMs = 3000;
    const glance = browser.glance();
    const all = Array.from({ length: 8 }, (_, tag) => glance.digestOf('a', `${tag}`));
    await vi.advanceTimersByTimeAsync(20_000);
    await Promise.all(all);
    expect(registry.asked.length).toBe(4);
  });

  test('is asked all the same where another page wants it still', async () => {
    registry.delayMs = 3000;
    const glance = browser.glance();
    for (let tag = 0; tag < 5; tag++) void glance.digestOf('a', `${tag}`);
    await vi.advanceTimersByTimeAsync(1900);
    void browser.glance().digestOf('a', '4');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(registry.asked).toContain('tag 4');
  });

  test('is what was known, with its time, where the registry does not answer', async () => {
    const at = Date.now();
    await browser.glance().tags('a');
    registry.isDown = true;
    await vi.advanceTimersByTimeAsync(60_000);
    const glance = browser.glance();
    expect(await glance.tags('a')).toMatchObject({ names: ['a', 'b'] });
    expect(await glance.tags('b')).toBeUndefined();
    expect([glance.trouble(), glance.staleSince()]).toEqual(['unreachable', at]);
  });

  test('is no more of an image once a part of it failed', async () => {
    const images = Array.from({ length: 40 }, (_, at) => ({ digest: digestOf(Buffer.from(String(at))), size: 1 }));
    const index = Buffer.from(JSON.stringify({ manifests: images }));
    registry.manifest = (_repository, asked) => {
      registry.asked.push(asked);
      return Promise.resolve(
        asked === digest
          ? { ok: true, manifest: { digest, mediaType: types.index, content: index } }
          : { ok: false, reason: 'timeout' },
      );
    };
    expect(await browser.glance().image('a', digest, 'whole')).toBeUndefined();
    expect(registry.asked.length).toBeLessThanOrEqual(5);
  });

  test('of one repository says nothing of another', async () => {
    await browser.glance().image('a', digest, 'whole');
    await browser.glance().image('b', digest, 'whole');
    expect(registry.asked).toEqual([`manifest a ${digest}`, `manifest b ${digest}`]);
  });
});
