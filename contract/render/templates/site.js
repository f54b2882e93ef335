// Hides the rows of the index that do not hold what was typed.
const filter = document.getElementById('filter');
filter?.addEventListener('input', () => {
  const wanted = filter.value.trim().toLowerCase();
  for (const row of document.querySelectorAll('tbody tr')) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
  }
});
