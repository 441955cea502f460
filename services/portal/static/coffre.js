// What pages do better with scripts; all of them work without.
"use strict";

// <button type="button" hidden data-copy="code">: copies the text of #code.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  const before = button.textContent;
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = before; }, 2000);
});

// What only scripts can do is hidden until there are scripts, and where the browser can't do it.
function unhide(root) {
  if (navigator.clipboard) root.querySelectorAll("[data-copy][hidden]").forEach((one) => { one.hidden = false; });
}
unhide(document);
document.addEventListener("htmx:load", (event) => unhide(event.target));

// The menu of small screens closes as menus do.
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.menu[open]");
  if (menu && event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); }
});
