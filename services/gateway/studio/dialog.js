/** The page's own question before something is lost. */

const dialog = document.getElementById('confirm');

/** Asks and resolves to true only when the person chose `yes`; Escape and `no` are false. */
export function confirmed({ title, text, yes, no }) {
  const words = { 'confirm-title': title, 'confirm-text': text, 'confirm-yes': yes, 'confirm-no': no };
  for (const [id, word] of Object.entries(words)) document.getElementById(id).textContent = word;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
