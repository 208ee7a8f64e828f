// What LTI calls platform storage: a tool in a frame keeps its state and nonce
// with its platform when the browser gives it no cookies. What one origin
// keeps no other can read.
const kept = new Map();
const MAX = 100; // things an origin may keep
const SUBJECTS = ["lti.capabilities", "lti.put_data", "lti.get_data"];

export function keep(event) {
  const asked = event.data;
  if (typeof asked !== "object" || asked === null || !SUBJECTS.includes(asked.subject)) return;
  const answer = { subject: asked.subject + ".response", message_id: asked.message_id };
  if (asked.subject === "lti.capabilities") {
    answer.supported_messages = SUBJECTS.map((subject) => ({ subject, frame: "_parent" }));
  } else if (typeof asked.key !== "string" || asked.key === "") {
    answer.error = { code: "bad_request", message: "key must be there" };
  } else {
    Object.assign(answer, asked.subject === "lti.put_data" ? put(event.origin, asked) : get(event.origin, asked));
  }
  event.source?.postMessage(answer, event.origin);
}

function put(origin, { key, value }) {
  const mine = kept.get(origin) ?? new Map();
  kept.set(origin, mine);
  if (value === null || value === undefined) mine.delete(key);
  else if (mine.size >= MAX && !mine.has(key)) return { key, error: { code: "storage_exhausted", message: "too many keys" } };
  else mine.set(key, String(value).slice(0, 5000));
  return { key, value: mine.get(key) ?? null };
}

function get(origin, { key }) {
  return { key, value: kept.get(origin)?.get(key) ?? null };
}
