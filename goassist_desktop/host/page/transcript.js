// What was said: words still uncertain in grey, words heard marked, words never heard struck out.

/** The list of turns, and the caption below the face. */
export class Transcript {
  constructor(list, caption, empty) {
    this.list = list;
    this.caption = caption;
    this.empty = empty;
    this.replies = new Map();
    this.user = null;
  }

  partial(text) {
    this.user ??= this.#add("user");
    this.user.classList.add("uncertain");
    this.user.body.textContent = text;
    this.#caption("user", text);
    this.#follow();
  }

  said(text) {
    if (!text) return;
    this.user ??= this.#add("user");
    this.user.classList.remove("uncertain");
    this.user.body.textContent = text;
    this.user = null;
    this.#caption("user", text);
    this.#follow();
  }

  reply(turnId, text, heard) {
    const entry = this.#reply(turnId);
    entry.body.replaceChildren(...parts(text, heard, "unheard"));
    this.#caption("assistant", heard || text);
    this.#follow();
  }

  /** A turn is over; told again after a reload, when nothing is here yet. */
  turn(turn) {
    if (turn.retold) {
      if (this.replies.has(turn.turn_id)) return;
      if (turn.user_text) this.said(turn.user_text);
    }
    if (!turn.reply_text) return;
    const entry = this.#reply(turn.turn_id);
    const text = turn.outcome === "interrupted" ? turn.reply_text : turn.heard_text || turn.reply_text;
    entry.body.replaceChildren(...parts(text, turn.heard_text, "never"));
    if (turn.outcome === "interrupted") entry.note("interrupted");
    this.#caption("assistant", "");
    this.#follow();
  }

  clear() {
    this.list.replaceChildren();
    this.replies.clear();
    this.user = null;
    this.empty.hidden = false;
    this.#caption("assistant", "");
  }

  #reply(turnId) {
    if (!this.replies.has(turnId)) this.replies.set(turnId, this.#add("assistant"));
    return this.replies.get(turnId);
  }

  #add(who) {
    this.empty.hidden = true;
    const entry = document.createElement("li");
    entry.className = who;
    const name = document.createElement("span");
    name.className = "who";
    name.textContent = who === "user" ? "You" : document.body.dataset.persona || "Assistant";
    const body = document.createElement("p");
    entry.append(name, body);
    entry.body = body;
    entry.note = (text) => {
      const note = document.createElement("span");
      note.className = "note";
      note.textContent = text;
      entry.append(note);
    };
    this.list.append(entry);
    return entry;
  }

  #caption(who, text) {
    this.caption.dataset.who = who;
    this.caption.textContent = text.length > 160 ? `… ${text.slice(text.indexOf(" ", text.length - 150))}` : text;
  }

  #follow() {
    this.list.scrollTop = this.list.scrollHeight;
  }
}

function parts(text, heard, rest) {
  const spoken = document.createElement("span");
  spoken.className = "heard";
  spoken.textContent = text.startsWith(heard) ? heard : text;
  const following = text.startsWith(heard) ? text.slice(heard.length) : "";
  if (!following.trim()) return [spoken];
  const remaining = document.createElement(rest === "never" ? "s" : "span");
  remaining.className = rest;
  remaining.textContent = following;
  return [spoken, remaining];
}
