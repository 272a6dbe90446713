/** What clients call themselves, as people call them. */

const browsers = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/(?:Chrome|Chromium|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
] as const;
const systems = [
  [/iPhone|iPad/, 'iOS'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Macintosh/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
] as const;

/** `Chrome on Linux`; of a program its first word, `docker/29.1`. What says neither is left as it is. */
export function clientName(userAgent: string): string {
  if (!/^Mozilla\/\d/.test(userAgent)) return /^[\w.+-]+\/[\w.+-]+(?= )/.exec(userAgent)?.[0] ?? userAgent;
  const [browser, system] = [browsers, systems].map((all) => all.find(([sign]) => sign.test(userAgent))?.[1]);
  if (browser === undefined) return userAgent;
  return system === undefined ? browser : `${browser} on ${system}`;
}
