"use strict";
// Enlarges pictures and filters mistakes. Everything can be read without it.
(() => {
  const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text || "" });
  const dialog = make("dialog");
  const large = make("img");
  const caption = make("p");
  const close = make("button", "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.setAttribute("aria-label", "Enlarged picture");
  dialog.append(large, caption, close);
  for (const picture of document.querySelectorAll(".pictures img")) {
    const button = make("button");
    button.type = "button";
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      large.src = picture.src;
      large.alt = picture.alt;
      caption.textContent = picture.alt;
      if (!dialog.isConnected) document.body.append(dialog);
      dialog.showModal();
    });
  }
  const groups = document.getElementById("groups");
  if (!groups) return;
  const all = [...groups.children];
  const names = new Map();
  for (const row of document.querySelectorAll("#classes tbody th")) names.set(names.size, row.textContent);
  const filter = make("div");
  filter.className = "filter";
  const choice = (text, key) => {
    const label = make("label", text);
    const select = make("select");
    const values = [...new Set(all.map((group) => Number(group.dataset[key])))].sort((a, b) => a - b);
    select.append(new Option("all", ""), ...values.map((value) => new Option(names.get(value) || value, value)));
    label.append(select);
    filter.append(label);
    return { key, select };
  };
  const choices = [choice("true class", "truth"), choice("guess", "guess")];
  const apply = () => {
    for (const group of all) {
      group.hidden = choices.some(({ key, select }) => select.value !== "" && group.dataset[key] !== select.value);
    }
  };
  filter.addEventListener("change", apply);
  groups.before(filter);
})();
