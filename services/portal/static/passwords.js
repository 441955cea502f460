// A button beside each password that shows what was typed; without scripts there is none.
"use strict";
for (const field of document.querySelectorAll("input[data-show]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = field.dataset.show;
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-controls", field.id);
  button.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  });
  field.insertAdjacentElement("afterend", button);
  // What is sent is never kept as text by the browser.
  field.form.addEventListener("submit", () => { field.type = "password"; });
}
