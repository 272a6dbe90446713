/** Where somebody wanted to go before they had to log in. */

/** As written when it leads to a page of ours, else the first page. No `\`, `//` or control character: browsers read those as hosts. */
export function nextPage(text: string): string {
  const isOurs = /^\/ui\/[\x21-\x5b\x5d-\x7e]*$/.test(text) && !text.includes('//') && text.length <= 2048;
  return isOurs && !/^\/ui\/log(?:in|out)(?:[?/]|$)/.test(text) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(pathOf(text))
    ? text
    : '/ui/';
}

/** With dots as browsers read them, escaped ones too. */
function pathOf(text: string): string {
  return (text.split(/[?#]/, 1)[0] ?? '').replace(/%2e/gi, '.');
}
