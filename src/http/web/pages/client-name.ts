/** What clients call themselves, as people call them. */

/** Of browsers, then of systems: what their User-Agent has, and the name. The first that fits counts; page.js is handed them. */
export const clientSigns = [
  [
    ['\\bEdg(?:e|A|iOS)?/', 'Edge'],
    ['\\bOPR/', 'Opera'],
    ['\\b(?:Firefox|FxiOS)/', 'Firefox'],
    ['(?:Chrome|Chromium|CriOS)/', 'Chrome'],
    ['\\bSafari/', 'Safari'],
  ],
  [
    ['iPhone|iPad', 'iOS'],
    ['Android', 'Android'],
    ['Windows', 'Windows'],
    ['Macintosh', 'macOS'],
    ['CrOS', 'ChromeOS'],
    ['Linux', 'Linux'],
  ],
] as const;

const signs = clientSigns.map((all) => all.map(([sign, name]) => [new RegExp(sign), name] as const));

/** `Chrome on Linux`; of a program its first word, `docker/29.1`. What says neither is left as it is. */
export function clientName(userAgent: string): string {
  if (!/^Mozilla\/\d/.test(userAgent)) return /^[\w.+-]+\/[\w.+-]+(?= )/.exec(userAgent)?.[0] ?? userAgent;
  const [browser, system] = signs.map((all) => all.find(([sign]) => sign.test(userAgent))?.[1]);
  if (browser === undefined) return userAgent;
  return system === undefined ? browser : `${browser} on ${system}`;
}
