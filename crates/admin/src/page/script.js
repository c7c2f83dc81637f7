"use strict";
// Keeps the page fresh: fetches the rendered <main> and patches what differs, in place, so
// that scroll, focus, selection and the width of nothing else are touched.
(() => {
  const EVERY_MS = 2000;
  const PATIENCE_MS = 5000;
  const beat = document.getElementById("beat");
  const button = document.getElementById("pause");
  let paused = false;
  let timer = 0;
  let freshAt = Date.now();

  function patch(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const olds = [...old.childNodes];
    const news = [...fresh.childNodes];
    news.forEach((node, i) => (i < olds.length ? patch(olds[i], node) : old.append(node)));
    olds.slice(news.length).forEach((node) => node.remove());
  }

  function say(text, stale) {
    if (beat.textContent !== text) beat.textContent = text;
    document.body.classList.toggle("stale", stale);
  }

  async function refresh() {
    clearTimeout(timer);
    if (paused || document.hidden) return;
    try {
      const answer = await fetch("fragment", { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error("HTTP " + answer.status);
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = parsed.getElementById("live");
      if (!fresh) throw new Error("not the page");
      if (paused) return;
      patch(document.getElementById("live"), document.importNode(fresh, true));
      document.title = fresh.dataset.title;
      freshAt = Date.now();
      say("live, every 2 s", false);
    } catch (error) {
      const age = Math.round((Date.now() - freshAt) / 1000);
      const why = error instanceof TypeError || error.name === "TimeoutError" ? "no answer" : error.message;
      say(why + ": these numbers are " + age + " s old", true);
    } finally {
      clearTimeout(timer);
      timer = setTimeout(refresh, EVERY_MS);
    }
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Resume" : "Pause";
    if (paused) say("paused", false);
    else refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  say("live, every 2 s", false);
  timer = setTimeout(refresh, EVERY_MS);
})();
