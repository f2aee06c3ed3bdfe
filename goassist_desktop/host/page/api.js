// Asking the host: JSON both ways, with this browser's second secret.

/** What the host answered when it could not do what was asked. */
export class Refused extends Error {
  constructor(status, code, message, retryAfter) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

let csrf = "";

/** Whether this browser was paired. */
export async function isPaired() {
  csrf = (await ask("GET", "/pair")).csrf ?? "";
  return csrf !== "";
}

/** Rejects with Refused for a code that is not good. */
export async function pair(code) {
  csrf = (await ask("POST", "/pair", { code })).csrf;
}

/** Rejects with Refused, and with TypeError when the host can not be reached. */
export async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const { code = "unknown", message = "The assistant did not answer." } = content.error ?? {};
  throw new Refused(response.status, code, message, Number(response.headers.get("Retry-After")) || 5);
}
