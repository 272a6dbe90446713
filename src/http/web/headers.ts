/** The headers of every page: what it may load, who may frame it, who may keep it. */

/** Nothing inline, nothing from elsewhere, nobody's frame; scripts write text only (Trusted Types). */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

type Headers = Readonly<Record<string, string>>;

const always: Headers = {
  'Content-Security-Policy': contentSecurityPolicy,
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
const html: Headers = {
  ...always,
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  Vary: 'Cookie, Accept-Encoding',
};

/** `endsTls`: browsers come by https only, for a year. `X-Content-Type-Options` is on every answer of the gateway. */
export function pageHeaders(endsTls: boolean): Headers {
  return { ...html, ...strict(endsTls) };
}

/** Of a file whose name changes with its content. */
export function assetHeaders(type: string, endsTls: boolean): Headers {
  const kept = {
    'Content-Type': type,
    'Cache-Control': 'public, max-age=31536000, immutable',
    Vary: 'Accept-Encoding',
  };
  return { ...always, ...kept, ...strict(endsTls) };
}

function strict(endsTls: boolean): Headers {
  return endsTls ? { 'Strict-Transport-Security': 'max-age=31536000' } : {};
}
