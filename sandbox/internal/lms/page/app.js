// The page: who am I, which course, what is in it, and what I change there.
import { el } from "./el.js";
import { keep } from "./storage.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const page = { state: null, tab: "content", live: null, open: new Set() };

const ROLES = { student: "Student", teacher: "Teacher", assistant: "Teaching assistant" };
const FEEDS = {
  canvas: "Canvas Live Events (JWS)", "moodle-trigger": "Moodle, tool_trigger", "moodle-hooks": "Moodle, local_webhooks",
  standard: "Standard Webhooks", bearer: "JSON with a bearer secret", none: "not at all",
};
const NEW = "new", NOBODY = "nobody"; // choices that are no person
const TABS = ["content", "people", "deliveries", "received", "tools"];
const EVENTS = {
  enrolled: "somebody was enrolled", dropped: "somebody was dropped", "role-changed": "a role was changed", "course-created": "the course was created",
  "course-ended": "the course ended", start: "start for one student", "start-all": "start for all", end: "end", unrelated: "something unrelated",
};
const TAMPER = ["", "tampered", "signature", "stale", "future", "unsigned", "wrong-secret", "wrong-token", "two-signatures", "alg-none", "hs256", "unknown-key", "wrong-key", "garbage", "huge"];

async function call(path, body) {
  const answer = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error ?? answer.statusText);
  return json;
}

function complain(error) {
  $("notice").textContent = error.message;
  $("notice").hidden = false;
  clearTimeout(complain.timer);
  complain.timer = setTimeout(() => { $("notice").hidden = true; }, 8000);
}

const does = (f) => (event) => {
  event?.preventDefault();
  Promise.resolve(f(event)).catch(complain);
};

async function load() {
  page.state = await call("state?" + new URLSearchParams({ as: query.get("as") ?? "", course: query.get("course") ?? "" }));
  show();
}

// connect opens the stream that says when to look again.
function connect() {
  page.live?.close();
  page.live = new EventSource("live");
  page.live.onopen = () => {
    $("link-state").textContent = "";
    load().catch(complain);
  };
  page.live.onerror = () => { $("link-state").textContent = "Not connected. Trying again…"; };
  page.live.onmessage = () => load().catch(complain);
}

// go makes me somebody else, or leads to another course.
function go(change) {
  for (const [name, value] of Object.entries(change)) query.set(name, value);
  history.replaceState(null, "", "?" + query);
  closeFrame();
  load().catch(complain);
}

// choices fills a list and keeps what was chosen.
function choices(select, all, current = select.value) {
  const options = all.map(([value, text]) => el("option", { value, selected: value === current }, text));
  select.replaceChildren(...options);
}

function show() {
  const { me, people, courses, course, role } = page.state;
  choices($("me"), people.map((p) => [p.login, p.name + (p.admin ? " (administrator)" : "")]), me.login);
  const current = course?.id;
  $("courses").replaceChildren(...courses.map((c) => el("li", {}, el("button", {
    type: "button", "data-course": c.id, "aria-current": c.id === current ? "page" : undefined, onclick: () => go({ course: c.id }),
  }, c.title))));
  $("new-course").hidden = !me.admin;
  $("title").textContent = course ? course.title : "You are in no course";
  $("role").textContent = !course ? "" : `${course.label} · ${role ? "you are a " + ROLES[role].toLowerCase() : "you are not a member"}${course.ended ? " · ended" : ""}`;
  showTabs();
  showContent();
  if (course?.members) showPeople();
  showSent();
  showReceived();
  showTools();
}

function showTabs() {
  const { course, role, me } = page.state;
  const staff = me.admin || (role && role !== "student");
  const tabs = !course ? [] : ["content", ...(staff ? ["people", "deliveries", "received"] : []), ...(me.admin ? ["tools"] : [])];
  if (!tabs.includes(page.tab)) page.tab = "content";
  for (const t of TABS) {
    $("tab-" + t).hidden = !tabs.includes(t);
    $("tab-" + t).setAttribute("aria-selected", String(t === page.tab));
    $(t).hidden = t !== page.tab || !course;
  }
}

const launchAddress = (placement) => "launch?" + new URLSearchParams({
  course: page.state.course.id, as: page.state.me.login, placement, misbehave: query.get("misbehave") ?? "",
});

function showContent() {
  const { course, role } = page.state;
  if (!course) return;
  $("open-frame").disabled = !role;
  if (role) $("open-window").setAttribute("href", launchAddress("window"));
  else $("open-window").removeAttribute("href");
}

function openFrame() {
  $("stage").hidden = false;
  $("tool").src = launchAddress("frame");
  $("stage").scrollIntoView({ block: "nearest" });
}

function closeFrame() {
  $("stage").hidden = true;
  $("tool").src = "about:blank";
}

const member = (person, role) => call(`courses/${page.state.course.id}/members`, { ...person, role });

function showPeople() {
  const { course, people, feeds, me, tools } = page.state;
  choices($("feed"), feeds.map((f) => [f, FEEDS[f]]), course.feed);
  $("off").textContent = tools?.find((t) => t.clientId === course.tool)?.off ?? "";
  const known = new Map(people.map((p) => [p.id, p]));
  $("members").tBodies[0].replaceChildren(...course.members.map((m) => {
    const p = known.get(m.person);
    const role = el("select", { "aria-label": `Role of ${p.name}`, onchange: does(() => member({ person: p.id }, role.value)) });
    choices(role, Object.entries(ROLES), m.role);
    const drop = el("button", { type: "button", class: "button", "data-drop": p.login, onclick: does(() => member({ person: p.id }, "")) }, "Drop");
    return el("tr", {}, el("td", {}, p.name), el("td", {}, p.email), el("td", {}, role), el("td", {}, drop));
  }));
  const inside = new Set(course.members.map((m) => m.person));
  choices($("add-person"), [...people.filter((p) => !inside.has(p.id)).map((p) => [p.id, p.name]), [NEW, "somebody new…"]]);
  choices($("add-role"), Object.entries(ROLES), $("add-role").value || "student");
  choices($("script-event"), Object.entries(EVENTS));
  choices($("script-person"), [[NOBODY, "nobody"], ...people.map((p) => [p.id, p.name])], $("script-person").value || me.id);
  choices($("script-tamper"), TAMPER.map((t) => [t, t || "nothing"]));
  showNewPerson();
}

function showNewPerson() {
  for (const label of document.querySelectorAll(".new-person")) label.hidden = $("add-person").value !== NEW;
}

const time = (at) => new Date(at).toLocaleTimeString();
const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

// entry is a line of a log that opens; it stays open when the log is shown
// anew.
function entry(id, line, ...details) {
  // Noted when it is pressed, not when it has opened: the list may be drawn anew in between.
  const press = () => page.open[node.open ? "delete" : "add"](id);
  const node = el("details", { open: page.open.has(id) }, el("summary", { onclick: press }, ...line), ...details);
  return el("li", { "data-entry": id }, node);
}

const mark = (good, text) => el("span", { class: "mark " + (good === undefined ? "" : good ? "good" : "bad") }, text);

function showSent() {
  const all = page.state.deliveries ?? [];
  $("sent").replaceChildren(...all.map((d) => {
    const last = d.attempts.at(-1);
    const state = d.state === "waiting" ? (d.next ? `waiting, again at ${time(d.next)}` : "waiting") : d.state;
    const answers = d.attempts.map((a) => `${time(a.at)}  ${a.status || a.problem}  ${Math.round(a.ms)} ms  ${a.answer ?? ""}`).join("\n");
    return entry("d" + d.id, [
      el("span", {}, time(d.at)), el("code", {}, d.event), d.person && el("span", {}, d.person), mark(d.state === "waiting" ? undefined : d.state === "delivered", state),
      last && el("span", { class: "quiet" }, `${last.status || last.problem}${d.attempts.length > 1 ? ` after ${d.attempts.length} attempts` : ""}`), d.tamper && el("span", { class: "quiet" }, d.tamper),
    ], el("p", { class: "quiet" }, `POST ${d.url}`), el("pre", {}, Object.entries(d.headers).map(([k, v]) => `${k}: ${v}`).join("\n") + "\n\n" + pretty(d.body)),
    el("p", { class: "quiet" }, "Answers"), el("pre", {}, answers || "none yet"),
    el("button", { type: "button", class: "button", onclick: does(() => call(`deliveries/${d.id}/replay`, {}).then((a) => complain(new Error(`The same bytes again: ${a.status} ${a.answer ?? ""}`)))) }, "Send the same bytes again"));
  }));
  if (all.length === 0) $("sent").append(el("li", { class: "quiet" }, "Nothing yet. Add or drop somebody under People."));
}

function showReceived() {
  const all = page.state.received ?? [];
  $("hooks").replaceChildren(...all.map((h) => entry("h" + h.box + h.id + h.at, [
    el("span", {}, time(h.at)), el("code", {}, typeOf(h.body)), mark(h.valid, h.valid ? "signature is good" : h.problem),
    el("span", { class: "quiet" }, `answered ${h.status}${h.again ? ", came before" : ""}`),
  ], el("pre", {}, Object.entries(h.headers).map(([k, v]) => `${k}: ${v}`).join("\n") + "\n\n" + pretty(h.body)))));
  if (all.length === 0) $("hooks").append(el("li", { class: "quiet" }, "Nothing yet."));
}

function typeOf(body) {
  try {
    return JSON.parse(body).type ?? "?";
  } catch {
    return "?";
  }
}

function showTools() {
  const details = (pairs) => el("dl", {}, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  $("registered").replaceChildren(...(page.state.tools ?? []).map((t) => el("div", {}, el("h2", {}, t.name), details([
    ["Login", t.loginUrl || "nobody said yet where the tool is"], ["Redirect", t.redirectUris?.join(" ") ?? ""], ["Keys of the tool", t.jwksUrl],
    ["Issuer", t.platform.issuer], ["Client id", t.clientId], ["Deployment", t.deployment], ["Authorization", t.platform.authUrl],
    ["Token", t.platform.tokenUrl], ["Keys of launches", t.platform.jwksUrl], ["Keys of events", t.platform.eventsJwksUrl],
    ["Hooks go to", (t.hooksUrl || "…/hooks/lms/") + "SOURCE"], ["The tool's hooks come to", t.platform.inbox],
  ]), t.off && el("p", { class: "error" }, t.off, " ", el("button", { type: "button", class: "button", onclick: does(() => call("tools", { clientId: t.clientId, on: true })) }, "Switch on again")))));
}

for (const t of TABS) {
  $("tab-" + t).onclick = () => {
    page.tab = t;
    showTabs();
  };
}
$("me").onchange = () => go({ as: $("me").value });
$("open-frame").onclick = openFrame;
$("close-frame").onclick = closeFrame;
$("add-person").onchange = showNewPerson;
$("feed").onchange = does(() => call("courses", { id: page.state.course.id, feed: $("feed").value }));
$("add").onsubmit = does(() => member({ person: $("add-person").value === NEW ? "" : $("add-person").value, name: $("add-name").value, email: $("add-email").value }, $("add-role").value));
$("script").onsubmit = does(() => call("events", {
  course: page.state.course.id, event: $("script-event").value, person: $("script-person").value === NOBODY ? "" : $("script-person").value,
  count: Number($("script-count").value), tamper: $("script-tamper").value,
}));
$("new-course").onsubmit = does(async () => {
  const made = await call("courses", { id: $("new-id").value, title: $("new-title").value });
  $("new-course").reset();
  go({ course: made.id });
});
$("invite").onsubmit = does(async () => {
  const { open } = await call("tools/invite", { url: $("invite-url").value });
  window.open(open, "_blank");
});
for (const button of document.querySelectorAll("[data-keys]")) button.onclick = does(() => call("keys/" + button.dataset.keys, {}));
// A tool that has registered itself asks to be closed, and its frame may keep
// small things here when the browser keeps no cookies of it.
addEventListener("message", (event) => {
  if (event.data?.subject === "org.imsglobal.lti.close") load().catch(complain);
  else keep(event);
});
connect();
