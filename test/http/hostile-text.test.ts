/** What others wrote is text on every page: drawn with two hundred hostile texts in all that a page is made of. */
import { describe, expect, test } from 'vitest';
import { outsideLink } from '../../src/http/web/pages/links.ts';
import { markupOf } from '../support/frame.ts';
import { brief, hostileTexts } from '../support/hostile-texts.ts';
import { pageViews } from '../support/page-views.ts';

/** As long, with the same parts of a path, and as much a plain https address, which a label makes a link of. */
function harmless(text: string): string {
  return outsideLink(text) === undefined ? text.replaceAll(/[^/\s]/gu, 'x') : 'https://plain.example/';
}

describe.each(Object.entries(pageViews))('hostile text in %s', (_name, view) => {
  test('makes no element and no attribute, and leads nowhere else', () => {
    for (const text of hostileTexts) {
      const { elements, links } = markupOf(view(text));
      const plain = markupOf(view(harmless(text)));
      if (elements.join('\n') !== plain.elements.join('\n')) expect(elements, brief(text)).toEqual(plain.elements);
      const outside = outsideLink(text)?.href;
      for (const link of links)
        if (outside === undefined || link !== outside.replaceAll('"', '&quot;'))
          expect(link, brief(text)).toMatch(/^(?:\/ui\/|#)/);
    }
  });

  test('is shown with what nobody would see', () => {
    for (const text of hostileTexts) {
      const unseen = unseenIn.exec(markupOf(view(text, 'plain-text')).text);
      expect(unseen && `${unseen.index} U+${unseen[0].codePointAt(0)?.toString(16)}`, brief(text)).toBeNull();
    }
  });
});

/** Control characters but ends of lines, those that turn directions, and those that are drawn as nothing. */
const unseenIn =
  /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u00ad\u034f\u115f\u1160\u180b-\u180e\u200b-\u200f\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;
