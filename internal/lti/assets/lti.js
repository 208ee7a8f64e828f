"use strict";
// Everything works without this, with a look from time to time; with it, the
// page follows by itself, and the platform's storage stands in for cookies.

// ask sends the platform a message and waits a moment for its answer.
function ask(target, origin, message) {
  return new Promise((resolve) => {
    const id = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
    let frame = window.parent;
    try {
      if (target !== "_parent") frame = window.parent.frames[target] || window.parent;
    } catch (e) { /* the frame is not to be reached: the parent forwards */ }
    const done = (answer) => {
      window.removeEventListener("message", hear);
      resolve(answer);
    };
    const hear = (event) => {
      if (event.origin === origin && event.data && event.data.message_id === id) done(event.data);
    };
    window.addEventListener("message", hear);
    setTimeout(() => done(null), 1500);
    frame.postMessage(Object.assign({message_id: id}, message), origin);
  });
}

async function store(el) {
  const {to, target, origin, key, value} = el.dataset;
  await ask(target, origin, {subject: "lti.put_data", key, value});
  window.location.replace(to);
}

async function prove(form) {
  const {target, origin, key} = form.dataset;
  const answer = await ask(target, origin, {subject: "lti.get_data", key});
  if (!answer || !answer.value) return;
  form.elements.proof.value = answer.value;
  form.submit();
}

// update replaces what changed and leaves the rest, so that a reader of the
// screen hears only news and nobody loses the place.
function update(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  if (!fresh.getElementById("live")) return null;
  const at = document.activeElement && document.activeElement.id;
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!old || part.dataset.part === "notice" || old.innerHTML === part.innerHTML) continue;
    if (old.querySelector("input:checked")) continue;
    old.innerHTML = part.innerHTML;
  }
  if (at && document.getElementById(at)) document.getElementById(at).focus();
  return fresh.getElementById("live");
}

// How long a page that became ready stays before it goes on to the hub: long
// enough to see where the password is.
const leavesAfter = 10000;

// goOn takes a window of daskbot's own to the hub that just became ready; hubs
// refuse to be in a frame. Back leads to this page, where the password stands,
// and whoever touches it stays.
function goOn(at) {
  const link = document.getElementById("open");
  const notice = document.querySelector('[data-part="notice"]');
  if (!link || window.top !== window) return;
  for (const more of document.querySelectorAll('[data-part="ready"] details')) more.open = true;
  notice.textContent = "Your hub opens here in ten seconds. Come back to this page for the password, or touch it to stay.";
  history.replaceState(null, "", at);
  const going = setTimeout(() => window.location.assign(link.href), leavesAfter);
  const stay = () => {
    clearTimeout(going);
    notice.textContent = "";
  };
  for (const touch of ["pointerdown", "keydown"]) window.addEventListener(touch, stay, {once: true});
}

async function follow(live) {
  document.documentElement.classList.add("follows");
  let every = Number(live.dataset.every);
  for (let failed = 0; ;) {
    await new Promise((resolve) => setTimeout(resolve, every * 1000 * (1 + failed)));
    if (document.hidden) continue;
    try {
      const answer = await fetch("/lti/page", {method: "POST", cache: "no-store", credentials: "same-origin",
        headers: {"Authorization": "Bearer " + live.dataset.session, "Content-Type": "application/x-www-form-urlencoded"},
        body: new URLSearchParams({view: live.dataset.view})});
      if (answer.status === 401) {
        document.querySelector('[data-part="notice"]').textContent = "This page is over. Open daskbot from the page of your course again.";
        return;
      }
      const had = document.getElementById("open");
      const now = answer.ok && update(await answer.text());
      if (now && !had) goOn(now.dataset.at);
      failed = now ? 0 : Math.min(failed + 1, 10);
      if (now) every = Number(now.dataset.every);
    } catch (e) {
      failed = Math.min(failed + 1, 10);
    }
  }
}

const found = (id, then) => {
  const el = document.getElementById(id);
  if (el) then(el);
};
found("store", store);
found("proof", prove);
found("live", follow);
found("registered", () => {
  const parent = window.opener || window.parent;
  if (parent !== window) parent.postMessage({subject: "org.imsglobal.lti.close"}, "*");
});
