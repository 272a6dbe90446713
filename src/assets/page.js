/** Adds comfort only; without it every page reads and every form works. */
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
    setTimeout(() => (button.textContent = 'Copy'), 1500);
  });
  box.append(button);
}
