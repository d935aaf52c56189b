"use strict";
// Brings the page up to date, copies ids, confirms what cannot be undone, and knows the keys.
(() => {
  const pause = 3000;
  const content = document.getElementById("content");
  const connection = document.getElementById("connection");

  const times = (root) => {
    for (const time of root.querySelectorAll("time[data-at]")) {
      time.title = new Date(Number(time.dataset.at)).toLocaleString();
    }
  };

  // Nothing moves under a pointer or a cursor: the page waits while somebody is about to use it.
  const busy = () => {
    const active = document.activeElement;
    return document.hidden
      || (content.contains(active) && active !== content)
      || content.matches(":hover") && content.querySelector("form.action:hover, button:hover");
  };

  const refresh = async () => {
    if (!busy()) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "follow" });
        if (answer.redirected) { location.href = answer.url; return; }
        if (!answer.ok) throw new Error(String(answer.status));
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("content");
        if (fresh && !busy()) {
          times(fresh);
          content.replaceChildren(...fresh.childNodes);
        }
        connection.textContent = "";
      } catch {
        connection.textContent = "Not up to date: the API does not answer. Trying again.";
      }
    }
    setTimeout(refresh, pause);
  };

  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    copy(button.dataset.copy);
    connection.textContent = "Copied.";
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  let go = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
    if (event.key === "/") {
      event.preventDefault();
      document.querySelector("input[type=search]")?.focus();
    } else if (event.key === "g") {
      go = true;
      setTimeout(() => { go = false; }, 1500);
      return;
    } else if (go) {
      document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    }
    go = false;
  });

  if (!content || !content.hasAttribute("data-live")) return;
  times(content);
  // What a POST answered cannot be asked for again.
  if (performance.getEntriesByType("navigation")[0]?.name.endsWith("/ops/actions") || location.pathname === "/ops/actions") return;
  setTimeout(refresh, pause);
})();
