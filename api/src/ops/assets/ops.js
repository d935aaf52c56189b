"use strict";
// Brings the page up to date in place, copies ids, asks before what can not be undone, knows the keys.
(() => {
  const pause = 2000;
  const content = document.getElementById("content");
  const line = document.getElementById("connection");
  const say = (text, lost = false) => {
    if (!line || line.textContent === text) return;
    line.textContent = text;
    line.classList.toggle("lost", lost);
  };

  const times = (root) => {
    for (const time of root.querySelectorAll("time[data-at]")) {
      time.title = new Date(Number(time.dataset.at)).toLocaleString();
    }
  };

  // Makes `old` say what `fresh` says, touching nothing that already does: focus, selection, scroll and
  // what somebody typed stay. Rows are known by their id; a list's rows are never moved or added under the
  // pointer, it is told how many are newer.
  const morph = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh.cloneNode(true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.matches("form.filters, [data-still]")) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(old.nodeName) && old.type !== "hidden") return;
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && name !== "aria-selected" && name !== "tabindex" && old.getAttribute(name) !== value) {
        old.setAttribute(name, value);
      }
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !["open", "aria-selected", "tabindex"].includes(name)) old.removeAttribute(name);
    }
    if (old.hasAttribute("data-list")) return rows(old, fresh);
    const now = [...old.childNodes];
    const then = [...fresh.childNodes];
    then.forEach((node, at) => {
      if (now[at]) morph(now[at], node);
      else old.append(node.cloneNode(true));
    });
    for (const node of now.slice(then.length)) node.remove();
  };

  const rows = (old, fresh) => {
    const known = new Map([...old.children].map((row) => [row.dataset.id, row]));
    let newer = 0;
    for (const row of fresh.children) {
      const mine = known.get(row.dataset.id);
      if (mine) morph(mine, row);
      else newer += 1;
    }
    if (old.children.length === 0 && newer > 0) {
      old.replaceChildren(...[...fresh.children].map((row) => row.cloneNode(true)));
      return;
    }
    const note = old.closest("table").parentElement.querySelector(".newer");
    if (note) {
      note.hidden = newer === 0;
      const button = note.querySelector("button");
      const text = `${newer} newer: show`;
      if (button.textContent !== text) button.textContent = text;
    }
  };

  let timer = 0;
  let asking = false;
  let updates = 0;
  const refresh = async () => {
    clearTimeout(timer);
    // A hidden tab asks nothing; it asks at once when it is seen again.
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/ops/sign-in") {
        location.href = answer.url;
        return;
      }
      if (!answer.ok && answer.status !== 503) throw new Error(String(answer.status));
      if (answer.status === 503) {
        say("Not up to date: Redis does not answer. Trying again.", true);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("content");
      if (fresh) {
        times(fresh);
        morph(content, fresh);
        const bar = page.querySelector("nav ul");
        if (bar) morph(document.querySelector("nav ul"), bar);
        content.dataset.fresh = String(++updates);
      }
      if (line.classList.contains("lost")) say("");
    } catch {
      say("Not up to date: the gateway does not answer. Trying again.", true);
    } finally {
      asking = false;
      timer = setTimeout(refresh, pause);
    }
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say(`Copied ${text}`);
    setTimeout(() => { if (line.textContent === `Copied ${text}`) say(""); }, 4000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button.dataset.copy);
    if (event.target.closest(".newer button")) location.reload();
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  });

  // What can not be undone is named, and above a hundred its number is typed.
  const dialog = document.getElementById("confirm");
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = form.dataset.confirm;
    if (!question || form.dataset.confirmed) return;
    event.preventDefault();
    const typed = dialog.querySelector("input");
    const go = dialog.querySelector("button[value=go]");
    const number = form.dataset.number;
    dialog.querySelector("h2").textContent = form.querySelector("button").textContent;
    dialog.querySelector("p").textContent = question;
    dialog.querySelector("label").hidden = !number;
    dialog.querySelector("label span").textContent = `Type ${number} to go on`;
    typed.value = "";
    go.textContent = form.querySelector("button").textContent;
    go.disabled = Boolean(number);
    typed.oninput = () => { go.disabled = typed.value.trim() !== number; };
    dialog.onclose = () => {
      if (dialog.returnValue !== "go") return;
      form.dataset.confirmed = "1";
      const field = form.querySelector("input[name=typed]");
      if (field) field.value = typed.value.trim();
      form.requestSubmit();
    };
    dialog.returnValue = "";
    dialog.showModal();
  });

  // Keys: / search, g then a letter, j and k to move, Enter or o to open, u back, ? help.
  const move = (by) => {
    const all = [...content.querySelectorAll("tbody tr")];
    if (all.length === 0) return;
    const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
    const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
    for (const row of all) row.removeAttribute("aria-selected");
    next.setAttribute("aria-selected", "true");
    next.scrollIntoView({ block: "nearest" });
    const link = next.querySelector("a");
    if (link) link.focus({ preventScroll: true });
  };
  let go = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (/INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const key = event.key;
    if (go) {
      go = false;
      document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`)?.click();
      return;
    }
    if (key === "/") {
      event.preventDefault();
      document.querySelector("header.top input")?.focus();
    } else if (key === "g") {
      go = true;
      setTimeout(() => { go = false; }, 1500);
    } else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "o") content.querySelector("tr[aria-selected=true] a")?.click();
    else if (key === "u") history.back();
    else if (key === "?") document.getElementById("help")?.showModal();
  });

  if (!content?.hasAttribute("data-live")) return;
  times(content);
  // What a POST answered can not be asked for again.
  if (location.pathname.startsWith("/ops/actions")) return;
  document.addEventListener("visibilitychange", refresh);
  timer = setTimeout(refresh, pause);
})();
