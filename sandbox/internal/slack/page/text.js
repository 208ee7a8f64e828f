// Slack's text as DOM nodes: mrkdwn, plain text and rich text. Nothing here
// ever becomes HTML source, so whatever an app says stays text.

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", hourglass_flowing_sand: "⏳", hourglass: "⌛",
  rocket: "🚀", wave: "👋", tada: "🎉", information_source: "ℹ️", stopwatch: "⏱️", alarm_clock: "⏰", clock1: "🕐",
  zzz: "💤", broom: "🧹", lock: "🔒", key: "🔑", link: "🔗", bulb: "💡", eyes: "👀", no_entry: "⛔", no_entry_sign: "🚫",
  large_green_circle: "🟢", large_yellow_circle: "🟡", red_circle: "🔴", white_circle: "⚪", black_circle: "⚫",
  arrow_right: "➡️", bar_chart: "📊", moneybag: "💰", money_with_wings: "💸", package: "📦", gear: "⚙️", wrench: "🔧",
  mortar_board: "🎓", books: "📚", computer: "💻", cloud: "☁️", question: "❓", exclamation: "❗", star: "⭐", sparkles: "✨",
};

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

const unescape = (s) => s.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const emoji = (s) => s.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole);

// textObject shows a text object of Block Kit.
export function textObject(t, ctx) {
  if (!t) return [];
  if (t.type === "plain_text") return plain(t.text, t.emoji !== false);
  return mrkdwn(t.text, ctx);
}

export const label = (t) => (t ? emoji(t.text) : "");

function plain(text, withEmoji) {
  return lines(withEmoji ? emoji(text) : text);
}

function lines(text) {
  return text.split("\n").flatMap((line, i) => (i ? [el("br"), line] : [line]));
}

export function mrkdwn(text, ctx) {
  return text.split(/(```[\s\S]*?```)/).flatMap((part) => {
    const code = /^```\n?([\s\S]*?)\n?```$/.exec(part);
    return code ? [el("pre", {}, unescape(code[1]))] : quoted(part, ctx);
  });
}

function quoted(text, ctx) {
  const out = [];
  let quote = null;
  text.split("\n").forEach((line, i) => {
    const q = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (q) {
      if (quote) quote.append(el("br"));
      else out.push((quote = el("blockquote")));
      quote.append(...inline(q[1], ctx));
      return;
    }
    if (i && !quote) out.push(el("br"));
    quote = null;
    out.push(...inline(line, ctx));
  });
  return out;
}

const SPAN = new RegExp(
  [
    "(?<code>`[^`\\n]+`)", "<(?<angle>[^<>\\n]+)>",
    "(?<![\\w*])\\*(?<bold>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\w*])",
    "(?<![\\w_])_(?<italic>[^\\s_](?:[^_\\n]*[^\\s_])?)_(?![\\w_])",
    "(?<![\\w~])~(?<strike>[^\\s~](?:[^~\\n]*[^\\s~])?)~(?![\\w~])",
  ].join("|"),
  "g",
);

function inline(text, ctx) {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(SPAN)) {
    if (m.index > at) out.push(emoji(unescape(text.slice(at, m.index))));
    at = m.index + m[0].length;
    const g = m.groups;
    if (g.code) out.push(el("code", {}, unescape(g.code.slice(1, -1))));
    else if (g.angle) out.push(reference(g.angle, ctx));
    else if (g.bold) out.push(el("strong", {}, inline(g.bold, ctx)));
    else if (g.italic) out.push(el("em", {}, inline(g.italic, ctx)));
    else out.push(el("s", {}, inline(g.strike, ctx)));
  }
  if (at < text.length) out.push(emoji(unescape(text.slice(at))));
  return out;
}

// reference is what stands between < and >: a link, a person, a channel, a
// time, or a word such as @here.
function reference(inner, ctx) {
  const [target, name] = split(inner, "|");
  if (target.startsWith("@")) return el("span", { class: "mention" }, "@" + (ctx.name(target.slice(1)) ?? name ?? target.slice(1)));
  if (target.startsWith("#")) return el("span", { class: "mention" }, "#" + (ctx.channel(target.slice(1)) ?? name ?? target.slice(1)));
  if (target.startsWith("!date^")) return date(target, name, ctx);
  if (target.startsWith("!")) return el("span", { class: "mention" }, "@" + (name ?? target.slice(1)));
  return link(unescape(target), unescape(name ?? target));
}

function split(s, at) {
  const i = s.indexOf(at);
  return i < 0 ? [s, undefined] : [s.slice(0, i), s.slice(i + 1)];
}

export function link(url, text) {
  if (!/^(https?:|mailto:)/i.test(url)) return document.createTextNode(text);
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text);
}

function date(target, fallback, ctx) {
  const [, seconds, format, url] = target.split("^");
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return document.createTextNode(fallback ?? "");
  const show = (options) => new Intl.DateTimeFormat("en", { timeZone: ctx.timezone, ...options }).format(when);
  const day = (options) => {
    const on = (d) => new Intl.DateTimeFormat("en-CA", { timeZone: ctx.timezone }).format(d);
    const apart = Math.round((Date.parse(on(when)) - Date.parse(on(new Date()))) / 86400000);
    return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[apart] ?? show(options);
  };
  const short = { month: "short", day: "numeric", year: "numeric" };
  const medium = { month: "long", day: "numeric", year: "numeric" };
  const long = { weekday: "long", ...medium };
  const tokens = {
    date_num: () => show({ year: "numeric", month: "2-digit", day: "2-digit" }), date: () => show(medium), date_short: () => show(short),
    date_long: () => show(long), date_pretty: () => day(medium), date_short_pretty: () => day(short), date_long_pretty: () => day(long),
    time: () => show({ hour: "numeric", minute: "2-digit" }), time_secs: () => show({ hour: "numeric", minute: "2-digit", second: "2-digit" }),
  };
  const text = format.replace(/\{(\w+)\}/g, (whole, name) => tokens[name]?.() ?? whole);
  return el("time", { datetime: when.toISOString(), title: when.toISOString() }, url ? link(url, text) : text);
}

// richText shows a rich_text block.
export function richText(block, ctx) {
  return (block.elements ?? []).map((part) => {
    const inner = (p) => (p.elements ?? []).map((e) => (e.elements ? el("div", {}, inner(e)) : richSpan(e, ctx))).flat();
    switch (part.type) {
      case "rich_text_preformatted": return el("pre", {}, inner(part));
      case "rich_text_quote": return el("blockquote", {}, inner(part));
      case "rich_text_list":
        return el(part.style === "ordered" ? "ol" : "ul", {}, (part.elements ?? []).map((item) => el("li", {}, inner(item))));
      default: return el("div", {}, inner(part));
    }
  });
}

function richSpan(e, ctx) {
  let nodes;
  switch (e.type) {
    case "link": nodes = [link(e.url, e.text ?? e.url)]; break;
    case "user": nodes = [reference("@" + e.user_id, ctx)]; break;
    case "channel": nodes = [reference("#" + e.channel_id, ctx)]; break;
    case "emoji": nodes = [emoji(`:${e.name}:`)]; break;
    case "date": nodes = [date(`!date^${e.timestamp}^${e.format}`, e.fallback, ctx)]; break;
    default: nodes = lines(e.text ?? "");
  }
  const styles = { bold: "strong", italic: "em", strike: "s", code: "code" };
  for (const [style, tag] of Object.entries(styles)) if (e.style?.[style]) nodes = [el(tag, {}, nodes)];
  return nodes;
}
