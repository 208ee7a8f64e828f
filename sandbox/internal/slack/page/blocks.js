// Block Kit as DOM nodes. ctx says who looks (name, channel, timezone), keeps
// what is filled in (values, by block and action), takes what is done
// (act(block, element, chosen)) and asks for confirmation (confirm).
import { el, label, mrkdwn, richText, textObject } from "./text.js";

export function renderBlocks(blocks, ctx) {
  return blocks.map((b) => el("div", { class: "block " + b.type, "data-block": b.block_id }, (BLOCKS[b.type] ?? unknown)(b, ctx)));
}

const unknown = (b) => [el("p", { class: "quiet" }, `(a block of type ${b.type})`)];

const BLOCKS = {
  section: (b, ctx) => [
    el("div", { class: "body" },
      b.text && el("div", {}, textObject(b.text, ctx)),
      b.fields && el("div", { class: "fields" }, b.fields.map((f) => el("div", {}, textObject(f, ctx))))),
    b.accessory && el("div", { class: "accessory" }, element(b, b.accessory, ctx)),
  ],
  header: (b, ctx) => [el("h3", {}, textObject(b.text, ctx))],
  divider: () => [el("hr")],
  context: (b, ctx) => b.elements.map((e) => (e.type === "image" ? picture(e) : el("span", {}, textObject(e, ctx)))),
  actions: (b, ctx) => b.elements.map((e) => element(b, e, ctx)),
  image: (b) => [b.title && el("p", {}, label(b.title)), picture(b)],
  markdown: (b, ctx) => mrkdwn(b.text, ctx),
  rich_text: (b, ctx) => richText(b, ctx),
  task_card: (b, ctx) => [task(b, ctx)],
  plan: (b, ctx) => [
    el("h3", {}, b.title),
    el("ol", { class: "tasks" }, (b.tasks ?? []).map((t) => el("li", {}, task(t, ctx)))),
  ],
  input: (b, ctx) => input(b, ctx),
};

const STATUS = {
  pending: ["○", "not yet"], in_progress: ["◐", "in progress"], complete: ["✓", "done"], error: ["✕", "failed"],
};

function task(t, ctx) {
  const [mark, word] = STATUS[t.status ?? "pending"];
  return el("div", { class: "task " + (t.status ?? "pending") },
    el("span", { class: "mark", "aria-hidden": "true" }, mark), " ",
    el("span", {}, t.title), " ", el("span", { class: "quiet" }, `– ${word}`),
    t.details && el("div", { class: "details" }, richText(t.details, ctx)),
    t.output && el("div", { class: "details" }, richText(t.output, ctx)),
    t.sources && el("div", { class: "details" }, t.sources.map((s) => el("a", { href: s.url, target: "_blank", rel: "noopener noreferrer" }, s.text))));
}

const picture = (e) => el("img", { src: e.image_url, alt: e.alt_text });

function input(b, ctx) {
  const id = `input-${b.block_id}`;
  const named = el(GROUPS.has(b.element.type) ? "span" : "label", { id: id + "-label", for: GROUPS.has(b.element.type) ? undefined : id },
    label(b.label), b.optional ? el("span", { class: "quiet" }, " (optional)") : "");
  const control = element(b, b.element, ctx, { id, labelledby: id + "-label", dispatch: b.dispatch_action });
  return [
    named, control,
    b.hint && el("p", { class: "quiet", id: id + "-hint" }, label(b.hint)),
    el("p", { class: "error", id: id + "-error", role: "alert", hidden: true }),
  ];
}

const GROUPS = new Set(["checkboxes", "radio_buttons"]);

function element(b, e, ctx, how = { dispatch: true }) {
  return (ELEMENTS[e.type] ?? ((_, e) => el("span", { class: "quiet" }, `(an element of type ${e.type})`)))(b, e, ctx, how);
}

// remember keeps what is filled in, as the values of a view's state.
function remember(b, e, ctx, value) {
  (ctx.values[b.block_id] ??= {})[e.action_id] = { type: e.type, ...value };
}

const remembered = (b, e, ctx) => ctx.values[b.block_id]?.[e.action_id];

async function choose(b, e, ctx, how, value) {
  if (e.confirm && how.dispatch && !(await ctx.confirm(e.confirm))) return false;
  remember(b, e, ctx, value);
  if (how.dispatch) ctx.act(b.block_id, e, value);
  return true;
}

const common = (b, e, how) => ({
  id: how.id, "data-action": e.action_id, "data-key": `${b.block_id}/${e.action_id}`,
  "aria-describedby": how.id ? `${how.id}-hint ${how.id}-error` : undefined,
});

// textual is an input whose value is one text field of the payload.
function textual(field, attributes, convert = (v) => v, show = (v) => v) {
  return (b, e, ctx, how) => {
    const start = remembered(b, e, ctx)?.[field] ?? convert(show(e["initial_" + field.replace("selected_", "")] ?? e.initial_value ?? "")) ?? "";
    const tag = e.multiline ? "textarea" : "input";
    const node = el(tag, {
      ...common(b, e, how), ...(tag === "input" ? attributes : {}), placeholder: e.placeholder && label(e.placeholder),
      "aria-label": how.id ? undefined : label(e.placeholder) || e.action_id, maxlength: e.max_length && String(e.max_length),
      min: e.min_value, max: e.max_value, autofocus: e.focus_on_load,
    });
    node.value = show(start);
    const value = () => ({ [field]: node.value === "" ? null : convert(node.value) });
    remember(b, e, ctx, value());
    node.addEventListener("input", () => remember(b, e, ctx, value()));
    node.addEventListener("change", () => how.dispatch && choose(b, e, ctx, how, value()));
    return node;
  };
}

const options = (e) => e.option_groups?.flatMap((g) => g.options) ?? e.options ?? [];

function selectMenu(b, e, ctx, how, choices, field, initial, wrap) {
  const option = (o) => el("option", { value: o.value, selected: o.value === initial }, o.text);
  const node = el("select", { ...common(b, e, how), "aria-label": how.id ? undefined : label(e.placeholder) || e.action_id },
    el("option", { value: "", selected: !initial }, label(e.placeholder) || "Choose…"),
    choices.map((c) => (c.group ? el("optgroup", { label: c.group }, c.items.map(option)) : option(c))));
  const value = () => ({ [field]: node.value === "" ? null : wrap(node.value) });
  remember(b, e, ctx, value());
  node.addEventListener("change", () => choose(b, e, ctx, how, value()));
  return node;
}

const asItem = (o) => ({ value: o.value, text: label(o.text) });

function staticSelect(b, e, ctx, how) {
  const groups = e.option_groups?.map((g) => ({ group: label(g.label), items: g.options.map(asItem) }));
  const initial = (remembered(b, e, ctx)?.selected_option ?? e.initial_option)?.value;
  return selectMenu(b, e, ctx, how, groups ?? e.options.map(asItem), "selected_option", initial, (v) => options(e).find((o) => o.value === v));
}

function usersSelect(b, e, ctx, how) {
  const initial = remembered(b, e, ctx)?.selected_user ?? e.initial_user;
  return selectMenu(b, e, ctx, how, ctx.people.map((p) => ({ value: p.id, text: p.realName })), "selected_user", initial, (v) => v);
}

// several is a set of checkboxes, or of radio buttons when it takes one.
function several(one) {
  return (b, e, ctx, how) => {
    const before = remembered(b, e, ctx);
    const start = one ? [before ? before.selected_option : e.initial_option] : before?.selected_options ?? e.initial_options ?? [];
    const node = el("div", { class: "several", role: one ? "radiogroup" : "group", "aria-labelledby": how.labelledby, "data-action": e.action_id });
    const value = () => {
      const chosen = [...node.querySelectorAll("input")].flatMap((box, i) => (box.checked ? [options(e)[i]] : []));
      return one ? { selected_option: chosen[0] ?? null } : { selected_options: chosen };
    };
    options(e).forEach((o, i) => {
      node.append(el("label", {},
        el("input", {
          type: one ? "radio" : "checkbox", name: `${b.block_id}/${e.action_id}`, "data-key": `${b.block_id}/${e.action_id}/${i}`,
          checked: start.some((s) => s?.value === o.value), onchange: () => choose(b, e, ctx, how, value()),
        }), " ", textObject(o.text, ctx), o.description && el("span", { class: "quiet" }, " ", label(o.description))));
    });
    remember(b, e, ctx, value());
    return node;
  };
}

async function press(b, e, ctx, chosen) {
  if (e.confirm && !(await ctx.confirm(e.confirm))) return;
  ctx.act(b.block_id, e, chosen);
}

function button(b, e, ctx) {
  const attributes = {
    class: "button " + (e.style ?? ""), "data-action": e.action_id, "data-key": `${b.block_id}/${e.action_id}`,
    "aria-label": e.accessibility_label, onclick: () => press(b, e, ctx),
  };
  // A button with an address opens it and still tells the app.
  if (e.url) return el("a", { ...attributes, href: e.url, target: "_blank", rel: "noopener noreferrer" }, label(e.text));
  return el("button", { ...attributes, type: "button" }, label(e.text));
}

function overflow(b, e, ctx) {
  const menu = el("details", { class: "overflow", "data-action": e.action_id }, el("summary", { "aria-label": "More actions" }, "⋯"));
  menu.append(el("ul", {}, e.options.map((o) => el("li", {}, el("button", {
    type: "button", "data-value": o.value,
    onclick: () => { menu.open = false; press(b, e, ctx, { selected_option: o }); },
  }, label(o.text))))));
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape") menu.open = false; });
  return menu;
}

// Instants are typed in the browser's zone and told in seconds.
const toLocal = (s) => (s ? new Date(s * 1000 - new Date(s * 1000).getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "");
const fromLocal = (v) => Math.floor(new Date(v).getTime() / 1000);

const ELEMENTS = {
  button, overflow, image: (_, e) => picture(e),
  static_select: staticSelect, users_select: usersSelect,
  multi_static_select: several(false), checkboxes: several(false), radio_buttons: several(true),
  datepicker: textual("selected_date", { type: "date" }),
  timepicker: textual("selected_time", { type: "time" }),
  datetimepicker: textual("selected_date_time", { type: "datetime-local" }, (v) => (typeof v === "number" ? v : fromLocal(v)), (v) => (typeof v === "number" ? toLocal(v) : v)),
  plain_text_input: textual("value", { type: "text" }),
  number_input: textual("value", { type: "number" }),
  email_text_input: textual("value", { type: "email" }),
  url_text_input: textual("value", { type: "url" }),
};
