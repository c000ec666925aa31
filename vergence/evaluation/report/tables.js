"use strict";
// Sorting: a click on a heading sorts by its column, descending first, then ascending, then as it was.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const key = (row, index) => {
    const cell = row.cells[index];
    const value = cell.dataset.sort ?? cell.textContent.trim();
    return value === "" ? null : Number.isNaN(Number(value)) ? value : Number(value);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  headings.forEach((heading, index) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const next = { descending: "ascending", ascending: "" }[heading.getAttribute("aria-sort")] ?? "descending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      let rows = [...original];
      if (next) {
        heading.setAttribute("aria-sort", next);
        const known = rows.filter((row) => key(row, index) !== null);
        const unknown = rows.filter((row) => key(row, index) === null);  // last, whichever way is up
        const sign = next === "descending" ? -1 : 1;
        known.sort((a, b) => sign * compare(key(a, index), key(b, index)));
        rows = [...known, ...unknown];
      }
      body.append(...rows);
    });
  });
}
// Folding: a row hides the deeper rows below it.
for (const table of document.querySelectorAll("table[data-folds]")) {
  const rows = [...table.tBodies[0].rows];
  const fold = (row) => row.querySelector("button.fold");
  const refresh = () => {
    let limit = Infinity;
    for (const row of rows) {
      const level = Number(row.dataset.level);
      if (level <= limit) limit = Infinity;
      row.hidden = level > limit;
      if (!row.hidden && fold(row)?.getAttribute("aria-expanded") === "false") limit = level;
    }
  };
  for (const row of rows) {
    fold(row)?.addEventListener("click", () => {
      const button = fold(row);
      button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") === "false"));
      refresh();
    });
  }
  const levels = table.parentElement.previousElementSibling;
  if (!levels?.classList.contains("levels")) continue;
  levels.hidden = false;
  for (const button of levels.querySelectorAll("button[data-depth]")) {
    button.addEventListener("click", () => {
      for (const row of rows) {
        fold(row)?.setAttribute("aria-expanded", String(Number(row.dataset.level) + 1 < Number(button.dataset.depth)));
      }
      refresh();
    });
  }
}
