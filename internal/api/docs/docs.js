// Draws /openapi.json. Everything is set as text, never as markup.
"use strict";

const el = (name, text, ...children) => {
  const e = document.createElement(name);
  if (text) e.textContent = text;
  e.append(...children);
  return e;
};

// prose draws text with `code` in it.
const prose = (text) => {
  const p = el("p");
  (text || "").split("`").forEach((part, i) => p.append(i % 2 ? el("code", part) : part));
  return p;
};

const refName = (schema) => schema.$ref ? schema.$ref.split("/").pop() : "";

const link = (name) => {
  const a = el("a", name);
  a.href = "#schema-" + name;
  return a;
};

const typeOf = (schema) => {
  if (!schema) return el("span", "");
  if (schema.$ref) return link(refName(schema));
  const type = [].concat(schema.type || "any");
  if (type.includes("array")) return el("span", "list of ", typeOf(schema.items));
  let text = type.join(" or ");
  if (schema.format) text += " (" + schema.format + ")";
  if (schema.enum) text += ": " + schema.enum.join(", ");
  return el("span", text);
};

const table = (head, rows) => {
  const t = el("table");
  t.append(el("tr", "", ...head.map((h) => el("th", h))));
  rows.forEach((cells) => t.append(el("tr", "", ...cells.map((c) => el("td", "", c)))));
  return t;
};

// example builds a value that the schema accepts from the examples in it.
const example = (spec, schema, depth = 0) => {
  if (!schema || depth > 12) return null; // a schema may hold itself
  if (schema.$ref) return example(spec, spec.components.schemas[refName(schema)], depth + 1);
  if (schema.examples) return schema.examples[0];
  const type = [].concat(schema.type)[0];
  if (type === "array") return [example(spec, schema.items, depth + 1)];
  if (type === "object") {
    const out = {};
    for (const [name, field] of Object.entries(schema.properties || {})) out[name] = example(spec, field, depth + 1);
    return out;
  }
  if (schema.format === "date-time") return "2026-11-24T18:00:00Z";
  return { string: "", boolean: true, integer: 1, number: 1 }[type] ?? null;
};

const drawBody = (spec, box, title, content) => {
  for (const [type, media] of Object.entries(content || {})) {
    box.append(el("h4", title + " "), el("p", "", el("code", type), " ", typeOf(media.schema)));
    if (type === "application/json") box.append(el("pre", JSON.stringify(example(spec, media.schema), null, 2)));
  }
};

const curl = (spec, method, path, op) => {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => (op.parameters || []).find((p) => p.name === name)?.example ?? name);
  let text = "curl -H \"Authorization: Bearer $DASKBOT_TOKEN\"";
  if (method !== "get") text += " -X " + method.toUpperCase();
  const body = op.requestBody?.content["application/json"];
  if (body) text += " -H 'Content-Type: application/json' -d '" + JSON.stringify(example(spec, body.schema)) + "'";
  return text + " " + location.origin + filled;
};

const drawOperation = (spec, path, method, op) => {
  const box = el("details");
  box.id = op.operationId;
  const name = el("span", method.toUpperCase());
  name.className = "method";
  box.append(el("summary", "", name, el("code", path), " — " + op.summary), prose(op.description));
  box.append(el("pre", curl(spec, method, path, op)));
  if (op.parameters?.length) {
    box.append(el("h4", "Parameters"), table(["Name", "In", "Type", "Meaning"], op.parameters.map((p) =>
      [el("code", p.name + (p.required ? " *" : "")), p.in, typeOf(p.schema), prose(p.description)])));
  }
  drawBody(spec, box, "Body", op.requestBody?.content);
  box.append(el("h4", "Answers"), table(["Status", "Meaning", "Type"], Object.entries(op.responses).map(([status, r]) =>
    [status, prose(r.description), typeOf(Object.values(r.content || {})[0]?.schema)])));
  const ok = Object.entries(op.responses).find(([status]) => status < "300");
  if (ok) drawBody(spec, box, "Answer " + ok[0], ok[1].content);
  return box;
};

const drawSchema = (name, schema) => {
  const box = el("details");
  box.id = "schema-" + name;
  box.append(el("summary", name));
  box.append(table(["Field", "Type", "Meaning"], Object.entries(schema.properties || {}).map(([field, s]) =>
    [el("code", field + (schema.required?.includes(field) ? " *" : "")), typeOf(s), prose(s.description)])));
  return box;
};

const draw = (spec) => {
  document.getElementById("description").replaceWith(...spec.info.description.split("\n\n").map(prose));
  const main = document.getElementById("operations"), contents = document.getElementById("contents");
  main.replaceChildren();
  for (const tag of spec.tags) {
    const heading = el("h2", tag.name);
    heading.id = "tag-" + tag.name;
    main.append(heading, prose(tag.description));
    const a = el("a", tag.name);
    a.href = "#tag-" + tag.name;
    contents.append(a, " · ");
    for (const [path, methods] of Object.entries(spec.paths)) {
      for (const [method, op] of Object.entries(methods)) {
        if (op.tags?.includes(tag.name)) main.append(drawOperation(spec, path, method, op));
      }
    }
  }
  const schemas = document.getElementById("schemas");
  schemas.append(el("h2", "Schemas"));
  for (const [name, schema] of Object.entries(spec.components.schemas)) schemas.append(drawSchema(name, schema));
  openTarget();
};

// openTarget unfolds what the address points at.
const openTarget = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
};

addEventListener("hashchange", openTarget);
fetch("/openapi.json")
  .then((r) => { if (!r.ok) throw new Error(r.statusText); return r.json(); })
  .then(draw)
  .catch((e) => { document.getElementById("state").textContent = "The description cannot be read: " + e.message; });
