/** Adds comfort only; without it every page reads and every form works. */
const told = document.createElement('p');
told.className = 'hidden';
told.setAttribute('role', 'status');
document.querySelector('main').append(told);
for (const box of document.querySelectorAll('[data-copy]')) {
  const code = box.querySelector('code');
  const label = box.querySelector('.label');
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', `Copy the ${label.textContent} command`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = 'Selected';
    }
    // The name of the button stays what it does; this is read aloud.
    told.textContent = button.textContent;
    setTimeout(() => {
      button.textContent = 'Copy';
      told.textContent = '';
    }, 1500);
  });
  box.append(button);
}

/** Activity: new rows while somebody looks, every 3 seconds. They are built of text: nothing in them is read as HTML. */
const live = document.querySelector('[data-live]');
if (live) {
  const { verdicts, clients } = JSON.parse(live.dataset.words);
  const unseen = /(?![\ufe00-\ufe0f])[\p{Cc}\p{Zl}\p{Zp}\p{DI}\ufff9-\ufffb]/gu;
  const visible = (text) =>
    text.slice(0, 256).replace(unseen, (one) => `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`);
  const ago = (time) => {
    const seconds = Math.abs(Date.now() - Date.parse(time)) / 1000;
    const units = { day: 86400, hour: 3600, minute: 60 };
    const [name, unit] = Object.entries(units).find(([, each]) => seconds >= each) ?? [];
    if (!name) return 'just now';
    const count = Math.floor(seconds / unit);
    return `${count} ${name}${count === 1 ? '' : 's'} ago`;
  };
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = visible(text);
    if (className) element.className = className;
    // As the rows that are there: on phones they are no table to the eye.
    const role = { tr: 'row', td: 'cell' }[name];
    if (role) element.setAttribute('role', role);
    return element;
  };
  const foreign = (text) => {
    const bdi = make('bdi', text);
    if (text.length > 256) bdi.append('…');
    return bdi;
  };
  const note = (content) => {
    const span = make('span', undefined, 'note block');
    span.append(content);
    return span;
  };
  const cell = (text, below) => {
    const td = make('td');
    td.append(foreign(text));
    if (below) td.append(below);
    return td;
  };
  const what = ({ event, action, repository, reference, digest, detail }) => {
    if (repository === undefined) return detail ?? action ?? event;
    const named = reference ?? digest;
    const tail = named === undefined ? '' : /[: ]/.test(named) ? ` ${named}` : `:${named}`;
    return `${action ?? event} ${repository}${tail}`;
  };
  const clientName = (text) => {
    if (!/^Mozilla\/\d/.test(text)) return /^[\w.+-]+\/[\w.+-]+(?= )/.exec(text)?.[0] ?? text;
    const [browser, system] = clients.map((all) => all.find(([sign]) => new RegExp(sign).test(text))?.[1]);
    return browser === undefined ? text : system === undefined ? browser : `${browser} on ${system}`;
  };
  const row = (record) => {
    const { time, decision, account, kind, reason, rule, address = '', userAgent = '', explain } = record;
    const tr = make('tr');
    const when = make('time', ago(time));
    when.dateTime = when.title = `${time.slice(0, 19)}Z`;
    const [style, glyph, word] = verdicts[decision];
    const verdict = make('span', undefined, `verdict ${style}`);
    const sign = make('span', glyph);
    sign.setAttribute('aria-hidden', 'true');
    verdict.append(sign, ` ${word}`);
    const [first, second, last] = [make('td'), make('td'), make('td')];
    first.append(when);
    second.append(verdict);
    if (explain) {
      const link = make('a', 'Explain');
      link.append(make('span', ` ${what(record)}`, 'hidden'));
      link.href = `/ui/access?${new URLSearchParams(explain)}`;
      last.append(link);
    }
    const who = cell(account || kind || '–', account && kind && kind !== 'user' && note(kind));
    const client = note(foreign(clientName(userAgent)));
    client.title = visible(userAgent);
    tr.append(
      first,
      second,
      who,
      cell(what(record)),
      cell(reason, rule !== undefined && note(foreign(rule))),
      cell(address, client),
      last,
    );
    return tr;
  };
  setInterval(async () => {
    if (document.visibilityState !== 'visible') return;
    try {
      const reply = await fetch(`${live.dataset.live}&after=${live.dataset.last}`, {
        headers: { 'Portcullis-Refresh': '1' },
      });
      if (!reply.ok) return;
      const { records } = await reply.json();
      if (records.length === 0) return;
      live.dataset.last = records[0].number;
      live.prepend(...records.map(row));
      while (live.rows.length > 200) live.deleteRow(-1);
      for (const empty of document.querySelectorAll('.empty')) empty.remove();
    } catch {
      // The next turn asks again.
    }
  }, 3000);
}
