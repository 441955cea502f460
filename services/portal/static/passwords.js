// A button beside each password shows what was typed; without scripts it stays hidden.
"use strict";
for (const button of document.querySelectorAll("[data-shows]")) {
  const field = document.getElementById(button.getAttribute("aria-controls"));
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  });
  button.hidden = false;
  // What is sent is never kept as text by the browser.
  field.form.addEventListener("submit", () => { field.type = "password"; });
}
