// The page: who am I, where am I, what is said here, and what I do about it.
import { renderBlocks } from "./blocks.js";
import { el, label, mrkdwn, textObject } from "./text.js";

const $ = (id) => document.getElementById(id);
const page = {
  state: null, // what the emulator says I see
  place: "", // the channel I look at
  tab: "messages", // of the app
  unread: new Set(),
  values: new Map(), // what is filled in, by message or view
  failed: new Map(), // what the app did not answer, by message or view
  live: null,
};

const query = new URLSearchParams(location.search);

async function call(path, body) {
  const answer = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error ?? answer.statusText);
  return json;
}

const who = () => new URLSearchParams({ team: query.get("team") ?? "", user: query.get("as") ?? "" });
const me = () => ({ team: page.state.team.id, user: page.state.me.id });

async function load() {
  page.state = await call("state?" + who());
  if (!here()) page.place = (page.state.channels.find((c) => c.direct) ?? page.state.channels[0]).id;
  showAll();
}

// connect opens the stream of updates; whenever it opens, everything is asked
// for, so that nothing said meanwhile is missed.
function connect() {
  page.live?.close();
  page.live = new EventSource("live?" + who());
  page.live.onopen = () => {
    $("link-state").textContent = "";
    load().catch(complain);
  };
  page.live.onerror = () => { $("link-state").textContent = "Not connected. Trying again…"; };
  page.live.onmessage = (event) => {
    const update = JSON.parse(event.data);
    if (update.type === "message") take(update.message);
    else load().catch(complain);
  };
}

const here = () => page.state.channels.find((c) => c.id === page.place);

// take puts a new or changed message in its place.
function take(message) {
  const channel = page.state?.channels.find((c) => c.id === message.channel);
  if (!channel) return;
  const at = channel.messages.findIndex((m) => m.ts === message.ts);
  if (message.deletedAt) {
    if (at >= 0) channel.messages.splice(at, 1);
  } else if (at >= 0) channel.messages[at] = message;
  else channel.messages.push(message);
  if (channel.id !== page.place || (channel.direct && page.tab === "home")) {
    if (at < 0) page.unread.add(channel.id);
    showPlaces();
    return;
  }
  showMessage(message);
}

function showAll() {
  showWho();
  showPlaces();
  showPlace();
  showModal();
}

function showWho() {
  const { workspaces, team, people, me, app } = page.state;
  const choice = (value, text, current) => el("option", { value, selected: value === current }, text);
  $("team").replaceChildren(...workspaces.map((w) => choice(w.domain, w.name, team.domain)));
  $("me").replaceChildren(...people.slice(0, 60).map((p) => choice(p.name, `${p.realName} (${p.name}, ${p.timezone})`, me.name)));
  $("app-state").textContent = !app.installed ? "The app is not installed in this workspace."
    : app.mode === "socket" ? "The app is reached over Socket Mode."
      : app.url ? `The app is at ${app.url}.` : "Nobody said yet where the app is.";
}

function showPlaces() {
  const item = (c, text) => el("li", {}, el("button", {
    type: "button", "data-channel": c.id, "aria-current": c.id === page.place ? "page" : undefined, onclick: () => go(c.id),
  }, text, page.unread.has(c.id) && el("span", { class: "badge" }, "new")));
  const { channels, app } = page.state;
  $("apps").replaceChildren(...channels.filter((c) => c.direct).map((c) => item(c, app.name)));
  $("channels").replaceChildren(...channels.filter((c) => !c.direct).map((c) => item(c, (c.private ? "🔒 " : "# ") + c.name)));
}

function go(id, tab = "messages") {
  page.place = id;
  page.tab = tab;
  page.unread.delete(id);
  showPlaces();
  showPlace();
  if (here().direct) call("do/home", { ...me(), text: tab }).catch(complain);
}

function showPlace() {
  const channel = here();
  const home = channel.direct && page.tab === "home";
  $("place").textContent = channel.direct ? page.state.app.name : "# " + channel.name;
  $("tabs").hidden = !channel.direct;
  $("home").hidden = !home;
  $("conversation").hidden = home;
  for (const tab of ["home", "messages"]) $("tab-" + tab).setAttribute("aria-selected", String(tab === page.tab));
  if (home) showHome();
  else showMessages();
}

function showMessages() {
  $("messages").replaceChildren(...here().messages.map(messageNode));
  $("messages").scrollTop = $("messages").scrollHeight;
}

function showMessage(message) {
  const list = $("messages");
  const old = document.getElementById("m" + message.ts);
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 40;
  if (message.deletedAt) old?.remove();
  else if (old) keepingFocus(old, () => old.replaceWith(messageNode(message)));
  else list.append(messageNode(message));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

// keepingFocus gives the focus back to what had it before a part was redrawn.
function keepingFocus(part, redraw) {
  const key = part.contains(document.activeElement) && document.activeElement.dataset.key;
  redraw();
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

const person = (id) => page.state.people.find((p) => p.id === id);

function author(id) {
  if (id === page.state.app.user) return page.state.app.name;
  return id === "USLACKBOT" ? "Slackbot" : person(id)?.realName ?? id;
}

function context(key, act) {
  if (!page.values.has(key)) page.values.set(key, {});
  return {
    name: (id) => (id === page.state.app.user ? page.state.app.name : person(id)?.name),
    channel: (id) => page.state.channels.find((c) => c.id === id)?.name,
    people: page.state.people, timezone: page.state.me.timezone, values: page.values.get(key), act, confirm: ask,
  };
}

function messageNode(m) {
  const ctx = context(m.ts, (block, element, chosen) => act(m.ts, { channel: m.channel, ts: m.ts }, block, element, chosen));
  const posted = new Date(m.postedAt);
  const time = new Intl.DateTimeFormat("en", { timeZone: page.state.me.timezone, hour: "numeric", minute: "2-digit" }).format(posted);
  return el("li", { id: "m" + m.ts, class: m.for ? "message ephemeral" : "message", "data-ts": m.ts },
    el("p", { class: "by" },
      el("strong", {}, author(m.user)), " ", !person(m.user) && el("span", { class: "tag" }, "APP"), " ",
      el("time", { class: "quiet", datetime: m.postedAt, title: posted.toISOString() }, time),
      m.for && el("span", { class: "quiet" }, " · Only visible to you"),
      m.editedAt && el("span", { class: "quiet" }, " · edited")),
    m.blocks ? renderBlocks(m.blocks, ctx) : el("div", { class: "block" }, mrkdwn(m.text, ctx)),
    page.failed.has(m.ts) && el("p", { class: "error", role: "alert" }, "⚠ " + page.failed.get(m.ts)));
}

function showHome() {
  const view = page.state.home;
  const ctx = view && context(view.id, (block, element, chosen) => act(view.id, { view: view.id }, block, element, chosen));
  keepingFocus($("home"), () => $("home").replaceChildren(...(view ? renderBlocks(view.blocks, ctx) : [
    el("p", { class: "quiet" }, "The app has shown nothing here yet."),
  ])));
}

// act tells the app of a click or a choice.
async function act(key, place, block, element, chosen) {
  const values = page.values.get(key) ?? {};
  const value = element.type === "button" ? undefined : chosen;
  try {
    const result = await call("do/act", { ...me(), ...place, block, action: element.action_id, value, values });
    if (result.problem) page.failed.set(key, `The app did not answer: ${result.problem}`);
    else page.failed.delete(key);
    const message = here().messages.find((m) => m.ts === key);
    if (message) showMessage(message);
    else if (result.problem) complain(new Error(page.failed.get(key)));
  } catch (err) {
    complain(err);
  }
}

// showModal shows the uppermost modal, or none.
function showModal() {
  const dialog = $("modal");
  const view = page.state.modals.at(-1);
  if (!view) {
    if (dialog.open) dialog.close();
    dialog.replaceChildren();
    return;
  }
  const ctx = context(view.id, (block, element, chosen) => act(view.id, { view: view.id }, block, element, chosen));
  const submit = view.submit ? label(view.submit) : "Submit";
  const close = view.close ? label(view.close) : view.submit ? "Cancel" : "Close";
  const hasInput = view.blocks.some((b) => b.type === "input");
  keepingFocus(dialog, () => dialog.replaceChildren(el("form", { novalidate: true, "data-view": view.id, onsubmit: (event) => { event.preventDefault(); send(view); } },
    el("h2", { id: "modal-title" }, textObject(view.title, ctx)),
    el("div", { class: "content" }, renderBlocks(view.blocks, ctx)),
    el("p", { class: "error", id: "modal-error", role: "alert", hidden: true }),
    el("div", { class: "buttons" },
      el("button", { type: "button", class: "button", id: "modal-close", onclick: () => leave(view) }, close),
      (view.submit || hasInput) && el("button", { class: "button primary", id: "modal-submit" }, submit)))));
  if (!dialog.open) dialog.showModal();
}

async function send(view) {
  const button = $("modal-submit");
  button.disabled = true;
  try {
    const result = await call("do/submit", { ...me(), view: view.id, values: page.values.get(view.id) ?? {} });
    showErrors(view, result.errors ?? {});
    if (result.problem) modalError(`We had some trouble connecting. Try again? (${result.problem})`);
  } catch (err) {
    modalError(err.message);
  }
  button.disabled = false;
}

function modalError(text) {
  $("modal-error").textContent = text;
  $("modal-error").hidden = false;
}

function showErrors(view, errors) {
  for (const b of view.blocks.filter((b) => b.type === "input")) {
    const place = $(`input-${b.block_id}-error`);
    if (!place) continue;
    place.textContent = errors[b.block_id] ?? "";
    place.hidden = !errors[b.block_id];
    $(`input-${b.block_id}`)?.setAttribute("aria-invalid", String(Boolean(errors[b.block_id])));
  }
  const first = view.blocks.find((b) => errors[b.block_id]);
  if (first) $(`input-${first.block_id}`)?.focus();
}

function leave(view) {
  call("do/close", { ...me(), view: view.id, values: page.values.get(view.id) ?? {} }).catch(complain);
}

// ask shows a confirmation and says whether the person agreed.
function ask(c) {
  const dialog = $("confirm");
  return new Promise((resolve) => {
    const done = (yes) => { dialog.close(); resolve(yes); };
    const ctx = context("confirm", () => {});
    dialog.replaceChildren(
      el("h2", { id: "confirm-title" }, label(c.title)), el("p", {}, textObject(c.text, ctx)),
      el("div", { class: "buttons" },
        el("button", { type: "button", class: "button", id: "confirm-deny", onclick: () => done(false) }, label(c.deny) || "Cancel"),
        el("button", { type: "button", class: "button " + (c.style ?? "primary"), id: "confirm-yes", onclick: () => done(true) }, label(c.confirm) || "Yes")));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}

let noticeTimer;
function complain(err) {
  $("notice").textContent = err.message;
  $("notice").hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { $("notice").hidden = true; }, 8000);
}

function become(name, value) {
  query.set(name, value);
  if (name === "team") query.delete("as");
  history.replaceState(null, "", "?" + query);
  page.place = "";
  page.tab = "messages";
  page.unread.clear();
  page.values.clear();
  connect();
}

const typed = { all: [], at: 0 };

async function say(event) {
  event.preventDefault();
  const text = $("say").value.trim();
  if (!text) return;
  typed.all.push(text);
  typed.at = typed.all.length;
  $("say").value = "";
  try {
    await call("do/say", { ...me(), channel: page.place, text });
  } catch (err) {
    $("say").value = text;
    complain(err);
  }
}

function recall(event) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || !typed.all.length) return;
  typed.at = Math.min(typed.all.length, Math.max(0, typed.at + step));
  $("say").value = typed.all[typed.at] ?? "";
  event.preventDefault();
}

$("team").addEventListener("change", (e) => become("team", e.target.value));
$("me").addEventListener("change", (e) => become("as", e.target.value));
$("composer").addEventListener("submit", say);
$("say").addEventListener("keydown", recall);
$("tab-home").addEventListener("click", () => go(page.place, "home"));
$("tab-messages").addEventListener("click", () => go(page.place));
$("modal").addEventListener("cancel", (event) => {
  event.preventDefault();
  const view = page.state.modals.at(-1);
  if (view) leave(view);
});
connect();
