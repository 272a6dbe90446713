/** What an error says, whichever request it answers. */
export function withoutIds(body: string): string {
  return body.replaceAll(/,"requestId":"[0-9a-f-]{36}","traceId":"[0-9a-f]{32}"(?=\}$)/g, '');
}
